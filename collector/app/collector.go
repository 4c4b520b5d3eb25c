package app

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/host"
	"github.com/open-telemetry/opentelemetry-lambda/collector/lambda"
	"github.com/open-telemetry/opentelemetry-lambda/collector/startup"
)

type collector struct {
	uris       []string
	components host.Factories
	info       component.BuildInfo
	logger     *zap.Logger
	level      *logLevel
	secrets    *secrets
	ends       lambda.Ends
	// wish is what the components want of Lambda's telemetry events, as soon as they are made.
	wish chan delivery.TelemetryWish
	// limit is how long the start may take; made is the host that takes it.
	limit time.Duration
	made  atomic.Pointer[host.Host]
}

// Lambda gives an init 10 s.
const startLimit = 5 * time.Second

// extension lives in Lambda. Nothing in here may fail the function: whatever goes wrong, it registers and asks for events.
func (c *collector) extension(ctx context.Context, address, name, initialization string) {
	built := make(chan *host.Host, 1)
	c.wish = make(chan delivery.TelemetryWish, 1)
	go func() { built <- c.start(ctx) }()
	events, schema := []string{lambda.Invoke, lambda.Shutdown}, "2022-12-13"
	if initialization == "lambda-managed-instances" {
		events, schema = events[1:], "2025-01-29"
	}
	life := &lambda.Extension{API: lambda.NewAPI(address, name), Logger: c.logger, Ends: &c.ends, Restored: initialization == "snap-start"}
	var bad []string
	if life.Flush, bad = lambda.FlushFromEnvironment(os.Getenv); len(bad) > 0 {
		c.logger.Warn("flush settings cannot be used", zap.Strings("cause", bad))
	}
	if !c.register(ctx, life.API, events) {
		c.end(<-built, time.Now().Add(time.Second), "signal")
		return
	}
	wish, invoked := <-c.wish, len(events) == 2
	if invoked {
		wish = wish.Join(delivery.TelemetryWish{Types: []string{"platform"}})
	}
	var telemetry *lambda.Telemetry
	if len(wish.Types) > 0 {
		telemetry = c.subscribe(ctx, life.API, schema, wish)
	}
	if invoked { // who gets no INVOKE does not wait for its end
		life.Telemetry = telemetry
	}
	h := <-built
	if telemetry != nil {
		telemetry.Deliver(h.ConsumeTelemetry)
	}
	c.logger.Info("started", zap.String("version", c.info.Version), zap.String("flush", string(life.Flush.Policy)))
	deadline, reason := life.Run(ctx, h)
	if telemetry != nil {
		left, cancel := context.WithTimeout(context.Background(), time.Until(deadline)/2)
		telemetry.Settle(left)
		cancel()
	}
	c.end(h, deadline, reason)
}

// register asks until Lambda takes the extension: one that has ended fails the function. It returns false when ctx has ended.
func (c *collector) register(ctx context.Context, api *lambda.API, events []string) bool {
	for pause := 50 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 2*time.Second) {
		err := api.Register(ctx, events...)
		if err == nil {
			return true
		}
		if ctx.Err() == nil {
			c.logger.Error("Lambda does not take the extension, it asks again", zap.NamedError("cause", err),
				zap.String("remedy", "keep the file's name, /opt/extensions/collector; until then telemetry is delivered without Lambda's events"))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return false
}

// subscribe returns nil where there is no Telemetry API: a normal case.
func (c *collector) subscribe(ctx context.Context, api *lambda.API, schema string, wish delivery.TelemetryWish) *lambda.Telemetry {
	const remedy = "nothing need be done for this to work, only data may come later; where it stays, look whether something holds the port"
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var refusal error
	for _, name := range []bool{false, true} { // Lambda may take no address but its own name for the sandbox
		telemetry, err := api.ListenForTelemetry(ctx, &c.ends, wish.Port, name)
		if err != nil {
			c.logger.Warn("no port for telemetry events, data is sent while the function runs", zap.NamedError("cause", err), zap.String("remedy", remedy))
			return nil
		}
		subscribed, err := api.Subscribe(ctx, schema, telemetry.URI, wish)
		if subscribed {
			return telemetry
		}
		telemetry.Close()
		if err == nil || parent.Err() != nil {
			return nil
		}
		if refusal = err; telemetry.Named() {
			break
		}
	}
	c.logger.Warn("Lambda sends no telemetry events, data is sent while the function runs", zap.NamedError("cause", refusal), zap.String("remedy", remedy))
	return nil
}

// plain runs outside Lambda until a signal. Here an error is the user's to see at once.
func (c *collector) plain(ctx context.Context) int {
	c.logger.Info("not in Lambda (no AWS_LAMBDA_RUNTIME_API): runs as a plain collector until Ctrl-C")
	h, nowhere, err := c.configure(ctx)
	if err == nil {
		err = h.Start(ctx)
	}
	if err != nil {
		c.complain(err)
		return 2
	}
	c.say(nowhere)
	<-ctx.Done()
	c.end(h, time.Now().Add(5*time.Second), "signal")
	return 0
}

// configure makes the host; nowhere says which signals have no destination.
func (c *collector) configure(ctx context.Context) (h *host.Host, nowhere []string, err error) {
	loaded := &host.Loaded{}
	if len(c.uris) > 0 {
		loaded, err = host.Load(ctx, c.uris, c.logger, c.components.Providers...)
	} else {
		if loaded.Conf, nowhere = host.FromEnvironment(os.Getenv); !loaded.IsSet("service::pipelines::traces") && !loaded.IsSet("service::pipelines::metrics") && !loaded.IsSet("service::pipelines::logs") {
			return c.dropping(ctx), nowhere, nil
		}
	}
	if err == nil {
		c.secrets.configuration(loaded.ToStringMap(), false)
		loaded.OnFetch = func(late map[string]any) { c.secrets.configuration(late, false) }
		h, err = host.New(ctx, loaded, c.components, c.info, c.logger, c.level.Set)
	}
	c.locate(err)
	if err == nil && asked("metrics") {
		if err := h.Account(os.Getenv); err != nil {
			c.logger.Warn("OTEL_LAMBDA_ACCOUNT=metrics cannot be done", zap.Error(err), zap.String("remedy", "add a pipeline of metrics"))
		}
	}
	return h, nowhere, err
}

// begin makes and starts the host that the configuration wants; a component that panics is an error.
func (c *collector) begin(ctx context.Context) (h *host.Host, err error) {
	wish := delivery.TelemetryWish{}
	defer func() { c.want(wish) }()
	defer delivery.Recover(&err)
	h, nowhere, err := c.configure(ctx)
	if err != nil {
		return nil, err
	}
	wish = h.TelemetryWanted()
	c.want(wish)
	c.made.Store(h)
	h.OnInvocationEnd = c.ends.Finish
	if err := h.Start(ctx); err != nil {
		return nil, err
	}
	c.say(nowhere)
	return h, nil
}

// want says what the components want of Lambda's telemetry events; the first word counts.
func (c *collector) want(wish delivery.TelemetryWish) {
	select {
	case c.wish <- wish:
	default:
	}
}

// inTime is begin, but nobody waits longer than the limit for a component of somebody else that hangs: the function would fail.
func (c *collector) inTime(ctx context.Context) (*host.Host, error) {
	var h *host.Host
	began := make(chan error, 1)
	go func() {
		startup.Room()
		made, err := c.begin(ctx)
		h = made
		began <- err
	}()
	over, cancel := delivery.WithRunningTime(ctx, c.limit)
	defer cancel()
	select {
	case err := <-began:
		return h, err
	case <-over.Done():
	}
	go func() { // another runs instead
		if <-began == nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = h.Close(ctx)
		}
	}()
	c.want(delivery.TelemetryWish{})
	problem := &host.Problem{Cause: "it has not started within " + c.limit.String(), Remedy: "a component waits for what does not come: check what it needs, or take it out"}
	if made := c.made.Load(); made != nil {
		problem.Key = made.Starting()
	}
	return nil, problem
}

// start makes the host run. When its configuration is no good, one that takes everything and counts it as dropped runs instead.
func (c *collector) start(ctx context.Context) *host.Host {
	h, err := c.inTime(ctx)
	if err == nil {
		return h
	}
	if ctx.Err() != nil { // ends before it began
		return &host.Host{}
	}
	c.complain(err)
	h = c.dropping(ctx)
	h.OnInvocationEnd = c.ends.Finish
	if err := h.Start(ctx); err != nil {
		c.logger.Error("the OTLP receiver cannot listen", fields(err)...)
	}
	return h
}

func (c *collector) dropping(ctx context.Context) *host.Host {
	f := Builtin()
	f.Exporters = append(f.Exporters, newDropFactory())
	in := map[string]any{"grpc": map[string]any{}, "http": map[string]any{}}
	through := map[string]any{"receivers": []any{"otlp"}, "exporters": []any{"drop"}}
	h, err := host.New(ctx, &host.Loaded{Conf: confmap.NewFromStringMap(map[string]any{
		"receivers": map[string]any{"otlp": map[string]any{"protocols": in}},
		"exporters": map[string]any{"drop": nil},
		"service":   map[string]any{"pipelines": map[string]any{"traces": through, "metrics": through, "logs": through}},
	})}, f, c.info, c.logger, c.level.Set)
	if err != nil {
		c.complain(err)
		return &host.Host{}
	}
	return h
}

func (c *collector) say(nowhere []string) {
	if len(nowhere) > 0 {
		c.logger.Warn("some telemetry goes nowhere and is dropped", zap.Strings("cause", nowhere))
	}
}

// locate fills in where a problem stands.
func (c *collector) locate(err error) {
	host.Locate(err, c.uris)
	if p := (*host.Problem)(nil); errors.As(err, &p) && p.Source == "" {
		p.Source = "environment variables OTEL_EXPORTER_OTLP_*"
	}
}

func (c *collector) complain(err error) {
	c.locate(err)
	c.logger.Error("configuration cannot be used, telemetry is dropped", fields(err)...)
}

// fields are an error's parts for the log.
func fields(err error) []zap.Field {
	var p *host.Problem
	if errors.As(err, &p) {
		return p.Fields()
	}
	return []zap.Field{zap.NamedError("cause", err), zap.String("remedy", "report it with this line")}
}
