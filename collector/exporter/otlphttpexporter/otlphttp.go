package otlphttpexporter

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// Bodies are joined up to this size, so that a backlog goes out in few requests and stays below the limits of backends.
const maxRequest = 2 << 20

type otlpExporter struct {
	delivery.Lanes

	cfg   *Config
	set   exporter.Settings
	lanes map[pipeline.Signal]*lane
	http  *poster

	start sync.Once
	stop  sync.Once
}

// lane is the delivery of one signal; its queue exists from Start on.
type lane struct {
	target string
	queue  *delivery.Lane
}

func (e *otlpExporter) serve(signal pipeline.Signal) error {
	target, err := e.cfg.target(signal)
	e.lanes[signal] = &lane{target: target}
	return err
}

// Start is called once for every signal.
func (e *otlpExporter) Start(_ context.Context, host component.Host) (err error) {
	e.start.Do(func() {
		if e.http, err = newPoster(e.cfg, e.set); err != nil {
			return
		}
		for signal, l := range e.lanes {
			l.queue = delivery.NewLane(delivery.Settings{
				Signal:     signal,
				Send:       func(ctx context.Context, bodies [][]byte) delivery.Outcome { return e.http.post(ctx, l.target, bodies) },
				Logger:     e.set.Logger,
				MaxHeld:    e.cfg.SendingQueue.QueueSize,
				MaxRequest: maxRequest,
				Retry:      e.cfg.RetryOnFailure.Enabled,
			}, delivery.TallyOf(host))
			e.Lanes = append(e.Lanes, l.queue)
		}
	})
	return err
}

// Shutdown drops and counts what the host's last flush left.
func (e *otlpExporter) Shutdown(context.Context) error {
	e.stop.Do(func() {
		e.Stop()
		if e.http != nil {
			e.http.client.CloseIdleConnections()
		}
	})
	return nil
}

// Resume closes the connections of before an idle spell: whether they are dead shows only when a request on them is lost.
func (e *otlpExporter) Resume(idle bool) {
	if idle && e.http != nil {
		e.http.client.CloseIdleConnections()
	}
	e.Lanes.Resume(idle)
}

// Capabilities says that data is only read.
func (*otlpExporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeTraces queues spans.
func (e *otlpExporter) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	return e.put(pipeline.SignalTraces, body, td.SpanCount(), err)
}

// ConsumeMetrics queues metric data points.
func (e *otlpExporter) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	body, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	return e.put(pipeline.SignalMetrics, body, md.DataPointCount(), err)
}

// ConsumeLogs queues log records.
func (e *otlpExporter) ConsumeLogs(_ context.Context, ld plog.Logs) error {
	body, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	return e.put(pipeline.SignalLogs, body, ld.LogRecordCount(), err)
}

// ConsumeRaw queues records that come encoded.
func (e *otlpExporter) ConsumeRaw(_ context.Context, signal pipeline.Signal, body []byte, records int) error {
	return e.put(signal, body, records, nil)
}

func (e *otlpExporter) put(signal pipeline.Signal, body []byte, records int, err error) error {
	if err != nil {
		return err
	}
	if len(body) > 0 {
		e.lanes[signal].queue.Put(delivery.Item{Body: body, Records: records})
	}
	return nil
}
