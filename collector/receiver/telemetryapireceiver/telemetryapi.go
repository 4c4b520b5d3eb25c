package telemetryapireceiver

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/receiver/shared"
)

const (
	scopeName = "github.com/open-telemetry/opentelemetry-lambda/collector/receiver/telemetryapireceiver"

	patience = 300 * time.Millisecond // longest wait at the end of the environment for Lambda's word on what went wrong
	interval = 10 * time.Second       // that metrics gather where invocations are not flushed: on managed instances, and overlapped
)

type telemetryReceiver struct {
	shared.Next

	cfg      *Config
	logger   *zap.Logger
	getenv   func(string) string
	managed  bool
	onDemand bool
	made     time.Time
	tally    *delivery.Tally
	start    sync.Once
	ears     *ears // nil when announcements are not heard
	ended    chan struct{}
	end      sync.Once

	mu          sync.Mutex
	invocations invocations
	phases      map[string]*phase // by prefix of their events: init, restore
	initFailed  *failure          // an init inside an invocation failed, and that invocation has no span yet
	began       bool              // an invocation began here
	failed      bool              // a failure span was made
	readings    readings
	changed     chan struct{} // closed and replaced when events have come
	ready       []ptrace.Traces
}

var (
	_ delivery.TelemetryListener = (*telemetryReceiver)(nil)
	_ delivery.LifeListener      = (*telemetryReceiver)(nil)
	_ delivery.Holder            = (*telemetryReceiver)(nil)
)

func newReceiver(cfg *Config, logger *zap.Logger, getenv func(string) string, now time.Time) *telemetryReceiver {
	kind := getenv("AWS_LAMBDA_INITIALIZATION_TYPE")
	return &telemetryReceiver{cfg: cfg, logger: logger, getenv: getenv, managed: kind == "lambda-managed-instances", onDemand: kind == "" || kind == "on-demand",
		made: now, ended: make(chan struct{}), phases: map[string]*phase{}, changed: make(chan struct{}), readings: newReadings(cfg.MetricsTemporality == "cumulative", now)}
}

// Start is called once for every signal.
func (r *telemetryReceiver) Start(_ context.Context, host component.Host) error {
	r.start.Do(func() {
		r.tally = delivery.TallyOf(host)
		if r.managed {
			go r.flushRegularly()
		}
		if r.getenv("AWS_LAMBDA_RUNTIME_API") == "" {
			return // a local trial: nobody announces
		}
		var err error
		if r.ears, err = listen(announcementPort(r.getenv), r.announced); err != nil {
			r.logger.Warn("announcements are not heard: failure spans get ids of their own", zap.Error(err))
		}
	})
	return nil
}

// Shutdown closes the port.
func (r *telemetryReceiver) Shutdown(context.Context) error {
	r.ears.close()
	r.end.Do(func() { close(r.ended) })
	return nil
}

func (r *telemetryReceiver) flushRegularly() {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.Flush(context.Background())
		case <-r.ended:
			return
		}
	}
}

// TelemetryWanted is what the configuration names, or what the pipelines need.
func (r *telemetryReceiver) TelemetryWanted() delivery.TelemetryWish {
	types := r.cfg.Types
	if len(types) == 0 {
		types = eventTypes[:1]
		if r.Logs != nil {
			types = eventTypes
		}
	}
	return delivery.TelemetryWish{Types: slices.Clone(types), Port: r.cfg.Port, MaxItems: r.cfg.MaxItems, MaxBytes: r.cfg.MaxBytes, TimeoutMs: r.cfg.TimeoutMs}
}

// ConsumeTelemetry takes a batch of events.
func (r *telemetryReceiver) ConsumeTelemetry(events []delivery.TelemetryEvent) {
	last := "platform.runtimeDone"
	if r.managed {
		last = "platform.report"
	}
	if slices.ContainsFunc(events, func(e delivery.TelemetryEvent) bool { return e.Type == last }) {
		r.ears.settle() // what was announced before it is known before it
	}
	logs := plog.NewLogs()
	r.mu.Lock()
	for _, event := range events {
		record := parseRecord(event.Record)
		r.platform(event, record)
		if r.Logs != nil {
			r.log(logs, event, record)
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
	r.unlockAndSend()
	if n := logs.LogRecordCount(); n > 0 {
		r.handled(pipeline.SignalLogs, n, r.Logs.ConsumeLogs(context.Background(), logs))
	}
}

// platform keeps what an event says. r.mu is held.
func (r *telemetryReceiver) platform(event delivery.TelemetryEvent, record record) {
	switch event.Type {
	case "platform.initStart", "platform.restoreStart", "platform.initRuntimeDone", "platform.restoreRuntimeDone", "platform.initReport", "platform.restoreReport":
		r.phase(event, record)
	case "platform.start":
		i := r.invocations.at(record.requestID, event.Time)
		i.begin, r.invocations.current = first(i.begin, event.Time), i.id
		i.traceHeader = cmp.Or(i.traceHeader, record.traceHeader)
	case "platform.runtimeDone":
		r.runtimeDone(r.invocations.at(record.requestID, event.Time), event.Time, record)
	case "platform.report":
		r.report(r.invocations.at(record.requestID, event.Time), event.Time, record)
	}
}

// InvocationBegan comes with INVOKE.
func (r *telemetryReceiver) InvocationBegan(told delivery.Invocation) {
	r.mu.Lock()
	defer r.unlockAndSend()
	now := time.Now()
	i := r.invocations.get(told.RequestID)
	if !i.invoked.IsZero() {
		i = r.invocations.again(told.RequestID, now)
	}
	i.arn, i.deadline, i.traceHeader = told.ARN, told.Deadline, cmp.Or(i.traceHeader, told.TraceHeader)
	i.cold = !r.began && r.onDemand && now.Sub(r.made) < 10*time.Second // later: made ready ahead of need
	i.invoked = now
	r.began = true
	r.decide(i, func(i *invocation) *failure { return i.failure }) // the report did not come, and the environment lives
}

// InvocationDelivered says that the span of the invocation, whatever became of it, is not missing.
func (r *telemetryReceiver) InvocationDelivered(requestID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.invocations.get(requestID)
	i.settled, i.failure = true, nil
}

// EnvironmentEnds makes the spans of what ended with the environment.
func (r *telemetryReceiver) EnvironmentEnds(ctx context.Context, reason string) {
	r.ears.settle()
	r.mu.Lock()
	if reason == "timeout" || reason == "failure" {
		r.await(ctx)
	}
	r.decide(nil, func(i *invocation) *failure {
		switch {
		case i.failure != nil:
			return i.failure
		case reason == "timeout":
			return &failure{kind: timedOut, at: first(i.deadline, time.Now())}
		case reason == "failure":
			return &failure{kind: exited, at: time.Now()}
		}
		return nil
	})
	if r.initFailed != nil && !r.failed {
		r.fail(&invocation{begin: r.initFailed.began}, r.initFailed)
	}
	r.initFailed = nil
	r.phaseSpans(nil)
	r.unlockAndSend()
	r.Flush(ctx)
}

// await gives Lambda's own word on the failure a moment to come. r.mu is held, but not meanwhile.
func (r *telemetryReceiver) await(ctx context.Context) {
	ctx, cancel := delivery.WithRunningTime(ctx, patience)
	defer cancel()
	for ctx.Err() == nil && !r.failed && r.initFailed == nil && (r.invocations.open() || !r.began) {
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		r.mu.Lock()
	}
}

// decide makes spans of the invocations, but for one, whose failure is now as well known as it will be. r.mu is held.
func (r *telemetryReceiver) decide(but *invocation, failureOf func(*invocation) *failure) {
	for _, i := range r.invocations.list {
		if i == but || i.settled {
			continue
		}
		if f := failureOf(i); f != nil {
			r.fail(i, f)
		}
	}
}

// unlockAndSend hands the spans on outside the lock: a pipeline may take its time, and others only want to note something.
func (r *telemetryReceiver) unlockAndSend() {
	ready := r.ready
	r.ready = nil
	r.mu.Unlock()
	for _, td := range ready {
		r.handled(pipeline.SignalTraces, td.SpanCount(), r.Traces.ConsumeTraces(context.Background(), td))
	}
}

func (r *telemetryReceiver) handled(signal pipeline.Signal, n int, err error) {
	if err != nil {
		r.tally.Drop(delivery.Failed, signal, n)
		r.logger.Warn("pipeline failed, records are dropped", zap.String("signal", signal.String()), zap.Int("dropped", n), zap.Error(err))
	}
}

// Resume does nothing: what an invocation's end tells is gathered when it is told.
func (r *telemetryReceiver) Resume(bool) {}

// Flush hands on the metrics that have gathered.
func (r *telemetryReceiver) Flush(ctx context.Context) {
	if r.Metrics == nil {
		return
	}
	r.mu.Lock()
	md := pmetric.NewMetrics()
	n := r.readings.take(md, time.Now(), r.getenv)
	r.mu.Unlock()
	if n > 0 {
		r.handled(pipeline.SignalMetrics, n, r.Metrics.ConsumeMetrics(context.WithoutCancel(ctx), md))
	}
}

// Hold does nothing: readings are held as they are.
func (r *telemetryReceiver) Hold(bool) {}

// Release hands on what has gathered for long enough: not a data point for every invocation.
func (r *telemetryReceiver) Release() {
	if oldest := r.Oldest(); !oldest.IsZero() && time.Since(oldest) >= interval {
		r.Flush(context.Background())
	}
}

// Oldest is the wall time of the oldest reading that is not handed on; zero when there is none.
func (r *telemetryReceiver) Oldest() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Metrics == nil {
		return time.Time{}
	}
	return r.readings.oldest
}

// FlushLast is Flush.
func (r *telemetryReceiver) FlushLast(ctx context.Context) { r.Flush(ctx) }

// Held is nothing: readings are no records before they are handed on.
func (r *telemetryReceiver) Held() delivery.Counts { return delivery.Counts{} }

func first(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}
