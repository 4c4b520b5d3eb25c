package app

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// hanging is an extension of somebody else whose start does not come back.
type hanging struct {
	component.ShutdownFunc
	until chan struct{}
}

func (h hanging) Start(context.Context, component.Host) error { <-h.until; return nil }

func TestAComponentThatDoesNotStartFailsNoInit(t *testing.T) {
	until := make(chan struct{})
	defer close(until)
	var out locked
	logger, level, log := newLogger(&out, variables{}.get, nil)
	c := &collector{uris: []string{`yaml:{receivers: {otlp: {protocols: {http: {endpoint: "localhost:0"}}}}, exporters: {debug: }, extensions: {slow: },
		service: {extensions: [slow], pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}}`},
		components: Builtin(), logger: logger, level: level, secrets: log.secrets, limit: 50 * time.Millisecond, wish: make(chan delivery.TelemetryWish, 1)}
	c.components.Extensions = []extension.Factory{extension.NewFactory(component.MustNewType("slow"), func() component.Config { return &struct{}{} },
		func(context.Context, extension.Settings, component.Config) (extension.Extension, error) {
			return hanging{until: until}, nil
		}, component.StabilityLevelBeta)}
	h := c.start(t.Context())
	if h == nil || len(c.wish) != 1 {
		t.Fatal("nobody goes on")
	}
	defer func() { _ = h.Close(t.Context()) }()
	first := records(t, bytes.NewBufferString(out.String()))[0]
	if first["key"] != "extensions::slow" || first["cause"] == "" || first["remedy"] == "" {
		t.Errorf("%s", out.String())
	}
}

// locked is a log that several goroutines write and a test reads.
type locked struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *locked) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.text.String() }
