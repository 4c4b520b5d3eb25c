package otlpclient

import (
	"context"
	"fmt"
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

// NewFactory makes the factory of a type, and of its newer name. The exporters of the three signals that one configuration makes
// share their connections. of gives the parts of a configuration.
func NewFactory(name, newName string, defaults component.CreateDefaultConfigFunc, of func(component.Config) (*Config, Protocol)) exporter.Factory {
	made := &shared{of: of, exporters: map[component.Config]*Exporter{}}
	f := exporter.NewFactory(
		component.MustNewType(name),
		defaults,
		exporter.WithTraces(func(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
			return made.get(set, cfg, pipeline.SignalTraces)
		}, component.StabilityLevelBeta),
		exporter.WithMetrics(func(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
			return made.get(set, cfg, pipeline.SignalMetrics)
		}, component.StabilityLevelBeta),
		exporter.WithLogs(func(_ context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
			return made.get(set, cfg, pipeline.SignalLogs)
		}, component.StabilityLevelBeta),
	)
	if a, ok := f.(interface{ SetDeprecatedAlias(component.Type) }); ok {
		a.SetDeprecatedAlias(component.MustNewType(newName))
	}
	return f
}

type shared struct {
	of        func(component.Config) (*Config, Protocol)
	mu        sync.Mutex
	exporters map[component.Config]*Exporter
}

func (s *shared) get(set exporter.Settings, cfg component.Config, signal pipeline.Signal) (*Exporter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, found := s.exporters[cfg]
	if !found {
		common, protocol := s.of(cfg)
		e = &Exporter{of: s.of, set: set, targets: map[pipeline.Signal]string{}, queues: map[pipeline.Signal]*delivery.Lane{}}
		e.client = newClient(common, protocol, fmt.Sprintf("%s/%s", set.BuildInfo.Command, set.BuildInfo.Version))
		s.exporters[cfg] = e
	}
	target, err := e.client.protocol.Target(signal)
	e.targets[signal] = target
	return e, err
}

// Exporter sends OTLP, and keeps what could not be sent across freezes.
type Exporter struct {
	delivery.Lanes

	of      func(component.Config) (*Config, Protocol)
	set     exporter.Settings
	client  *client
	targets map[pipeline.Signal]string
	queues  map[pipeline.Signal]*delivery.Lane // from Start on

	start  sync.Once
	failed error // of the start
	stop   sync.Once
}

// Start is called once for every signal.
func (e *Exporter) Start(_ context.Context, host component.Host) error {
	e.start.Do(func() {
		e.client.auth, e.failed = authenticator(e.client.cfg.Auth.Authenticator, host)
		if r, ok := host.(delivery.Refresher); ok {
			e.client.refresh = func(ctx context.Context) (*Config, error) {
				cfg, err := r.Refresh(ctx, "exporters", e.set.ID)
				if err != nil {
					return nil, err
				}
				common, _ := e.of(cfg)
				return common, nil
			}
		}
		for signal, target := range e.targets {
			set := delivery.Settings{
				Signal:     signal,
				Send:       func(ctx context.Context, bodies [][]byte) delivery.Outcome { return e.client.send(ctx, target, bodies) },
				Logger:     e.set.Logger,
				MaxRequest: maxRequest,
			}
			e.client.cfg.bounds(&set)
			e.queues[signal] = delivery.NewLane(set, delivery.TallyOf(host))
			e.Lanes = append(e.Lanes, e.queues[signal])
		}
	})
	return e.failed
}

// Shutdown drops and counts what the host's last flush left.
func (e *Exporter) Shutdown(context.Context) error {
	e.stop.Do(func() {
		e.Stop()
		e.client.forget()
	})
	return nil
}

// Resume closes the connections of before an idle spell.
func (e *Exporter) Resume(idle bool) {
	if idle {
		e.client.forget()
	}
	e.Lanes.Resume(idle)
}

// Capabilities says that data is only read.
func (*Exporter) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeTraces queues spans.
func (e *Exporter) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	return e.put(pipeline.SignalTraces, body, td.SpanCount(), err)
}

// ConsumeMetrics queues metric data points.
func (e *Exporter) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	body, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	return e.put(pipeline.SignalMetrics, body, md.DataPointCount(), err)
}

// ConsumeLogs queues log records.
func (e *Exporter) ConsumeLogs(_ context.Context, ld plog.Logs) error {
	body, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	return e.put(pipeline.SignalLogs, body, ld.LogRecordCount(), err)
}

// ConsumeRaw queues records that come encoded.
func (e *Exporter) ConsumeRaw(_ context.Context, signal pipeline.Signal, body []byte, records int) error {
	return e.put(signal, body, records, nil)
}

func (e *Exporter) put(signal pipeline.Signal, body []byte, records int, err error) error {
	if err != nil {
		return err
	}
	if len(body) > 0 {
		e.queues[signal].Put(delivery.Item{Body: body, Records: records})
	}
	return nil
}
