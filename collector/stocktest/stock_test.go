// Package stocktest runs the Collector's own components in the host. It is a module of its own, so that what they need (grpc among it)
// is no dependency of the default flavour.
package stocktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/forwardconnector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/host"
	ourbatch "github.com/open-telemetry/opentelemetry-lambda/collector/processor/batchprocessor"
	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/coldstartprocessor"
	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/decoupleprocessor"
)

// config is what exporters that are built with exporterhelper have.
type config struct {
	exporterhelper.TimeoutConfig `mapstructure:",squash"`
	Queue                        configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	Retry                        configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`
}

// backend takes spans, or answers with the errors that the test wants first.
type backend struct {
	mu     sync.Mutex
	errs   []error
	spans  int
	pushes int
}

func (b *backend) push(_ context.Context, d ptrace.Traces) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pushes++
	if len(b.errs) > 0 {
		err := b.errs[0]
		b.errs = b.errs[1:]
		return err
	}
	b.spans += d.SpanCount()
	return nil
}

func (b *backend) factory() exporter.Factory {
	return exporter.NewFactory(component.MustNewType("helped"), func() component.Config {
		return &config{TimeoutConfig: exporterhelper.NewDefaultTimeoutConfig(), Queue: configoptional.Some(exporterhelper.NewDefaultQueueConfig()), Retry: configretry.NewDefaultBackOffConfig()}
	}, exporter.WithTraces(func(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
		c := cfg.(*config)
		return exporterhelper.NewTraces(ctx, set, cfg, b.push, exporterhelper.WithQueue(c.Queue), exporterhelper.WithRetry(c.Retry), exporterhelper.WithTimeout(c.TimeoutConfig))
	}, component.StabilityLevelBeta))
}

type in struct {
	component.StartFunc
	component.ShutdownFunc
}

// run starts a host of stock components with this configuration after its receiver; the consumer is what the receiver gives to.
func run(t *testing.T, b *backend, text string, processors ...processor.Factory) (*host.Host, consumer.Traces) {
	t.Helper()
	var next consumer.Traces
	f := host.Factories{
		Receivers: []receiver.Factory{receiver.NewFactory(component.MustNewType("in"), func() component.Config { return &struct{}{} }, receiver.WithTraces(
			func(_ context.Context, _ receiver.Settings, _ component.Config, c consumer.Traces) (receiver.Traces, error) {
				next = c
				return &in{}, nil
			}, component.StabilityLevelBeta))},
		Processors: processors,
		Connectors: []connector.Factory{forwardconnector.NewFactory()},
		Exporters:  []exporter.Factory{b.factory(), fileexporter.NewFactory()},
	}
	loaded, err := host.Load(t.Context(), []string{"yaml:receivers: {in: }\n" + text}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New(t.Context(), loaded, f, component.BuildInfo{}, zap.NewNop(), func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h, next
}

func give(t *testing.T, c consumer.Traces, n int) {
	t.Helper()
	d := ptrace.NewTraces()
	for range n {
		d.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName("x")
	}
	if err := c.ConsumeTraces(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

func flush(t *testing.T, h *host.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	h.Flush(ctx)
}

const direct = "exporters: {helped: }\nservice: {pipelines: {traces: {receivers: [in], exporters: [helped]}}}"

func TestStockExporterHoldsNothingAfterAFlush(t *testing.T) {
	b := &backend{}
	h, next := run(t, b, direct)
	for range 20 {
		give(t, next, 3)
	}
	flush(t, h)
	if b.spans != 60 || h.Held().Spans != 0 || h.Tally().Sent.Counts().Spans != 60 {
		t.Errorf("arrived %d, held %d, sent %d", b.spans, h.Held().Spans, h.Tally().Sent.Counts().Spans)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatStockExportersReportIsUnderstood(t *testing.T) {
	busy, bad := errors.New("unavailable"), consumererror.NewPermanent(errors.New("bad data"))
	throttled := exporterhelper.NewThrottleRetry(errors.New("429"), time.Millisecond)
	b := &backend{errs: []error{busy, bad, throttled}}
	h, next := run(t, b, direct)
	for i, want := range []int64{0, 0, 0, 1} { // kept; tried again and refused; kept; sent with the newest
		h.Resume(false)
		if i != 1 {
			give(t, next, 1)
		}
		flush(t, h)
		if sent := h.Tally().Sent.Counts().Spans; i < 3 && sent != want {
			t.Errorf("step %d: sent %d", i, sent)
		}
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if sent, dropped := h.Tally().Sent.Counts().Spans, h.Tally().Dropped.Counts().Spans; sent != 2 || dropped != 1 || b.spans != 2 {
		t.Errorf("sent %d, dropped %d, arrived %d", sent, dropped, b.spans)
	}
}

func TestStockProcessorsAndConnectorsAreDrainedAtTheEnd(t *testing.T) {
	b := &backend{}
	h, next := run(t, b, `
processors: {batch: {timeout: 1h}}
connectors: {forward: }
exporters: {helped: }
service:
  pipelines:
    traces/in: {receivers: [in], processors: [batch], exporters: [forward]}
    traces/out: {receivers: [forward], exporters: [helped]}
`, batchprocessor.NewFactory())
	give(t, next, 5)
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if b.spans != 5 || h.Tally().Sent.Counts().Spans != 5 || h.Tally().Dropped.Counts().Spans != 0 {
		t.Errorf("arrived %d, sent %d, dropped %d", b.spans, h.Tally().Sent.Counts().Spans, h.Tally().Dropped.Counts().Spans)
	}
}

// spansIn counts the spans of a file that the stock file exporter has written.
func spansIn(t *testing.T, file string) (spans int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		d, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		spans += d.SpanCount()
	}
	return spans
}

func TestProcessorsOfOursInFrontOfStockExportersLoseNothing(t *testing.T) {
	for _, processors := range []string{
		"batch: {timeout: 1h, send_batch_size: 100000}",
		"batch: {timeout: 1h, send_batch_size: 2, send_batch_max_size: 2}",
		"decouple: {}",
		"coldstart: {}",
		"coldstart: {}, batch: {timeout: 1h}, decouple: {}",
	} {
		t.Run(processors, func(t *testing.T) {
			names := []string{}
			for _, name := range []string{"coldstart", "batch", "decouple"} {
				if strings.Contains(processors, name+":") {
					names = append(names, name)
				}
			}
			file := filepath.Join(t.TempDir(), "spans.json")
			b := &backend{errs: []error{errors.New("unavailable")}}
			h, next := run(t, b, fmt.Sprintf(`
processors: {%s}
exporters: {helped: , file: {path: %q}}
service: {pipelines: {traces: {receivers: [in], processors: [%s], exporters: [helped, file]}}}
`, processors, file, strings.Join(names, ", ")), ourbatch.NewFactory(), decoupleprocessor.NewFactory(), coldstartprocessor.NewFactory())
			for i := range 10 {
				h.Resume(i%3 == 0)
				give(t, next, 3)
				flush(t, h)
			}
			if held := h.Held().Spans; held != 0 {
				t.Errorf("held %d", held)
			}
			if err := h.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if sent, dropped, file := h.Tally().Sent.Counts().Spans, h.Tally().Dropped.Counts().Spans, spansIn(t, file); b.spans != 30 || file != 30 || sent != 60 || dropped != 0 {
				t.Errorf("arrived %d, in the file %d, sent %d, dropped %d", b.spans, file, sent, dropped)
			}
		})
	}
}
