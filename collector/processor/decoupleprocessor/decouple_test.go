package decoupleprocessor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

// slow takes a second for each request.
type slow struct {
	consumer.ConsumeLogsFunc
	got []int
}

func (*slow) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *slow) ConsumeLogs(_ context.Context, ld plog.Logs) error {
	time.Sleep(time.Second)
	s.got = append(s.got, ld.LogRecordCount())
	return nil
}

func records(n int) plog.Logs {
	ld := plog.NewLogs()
	list := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for range n {
		list.AppendEmpty()
	}
	return ld
}

func TestConfig(t *testing.T) {
	if cfg := trial.Documented[*Config](t, createDefaultConfig)["decouple/all"]; cfg.MaxQueueSize != 20 || (&Config{}).Validate() == nil {
		t.Errorf("%+v", cfg)
	}
}

func TestNobodyWaitsButAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next, h := &slow{}, &trial.Host{}
		p, err := NewFactory().CreateLogs(t.Context(), processor.Settings{ID: component.MustNewID("decouple"), TelemetrySettings: trial.Telemetry()}, &Config{MaxQueueSize: 3}, next)
		if err != nil || p.Start(t.Context(), h) != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for n := 1; n <= 5; n++ { // the first is in the slow hands, three wait, one is too many
			if err := p.ConsumeLogs(t.Context(), records(n)); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		if time.Since(began) != 0 {
			t.Error("the function waits")
		}
		f := p.(delivery.Flusher)
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		f.Flush(short)
		if f.Held().Logs != 13 || time.Since(began) != time.Millisecond {
			t.Errorf("held %+v after %s", f.Held(), time.Since(began))
		}
		f.Flush(t.Context())
		if len(next.got) != 4 || next.got[0] != 1 || next.got[1] != 3 || next.got[3] != 5 || h.Tally().Dropped.Counts().Logs != 2 || f.Held().Logs != 0 {
			t.Errorf("%v, dropped %+v", next.got, h.Tally().Dropped.Counts())
		}
		_ = p.Shutdown(t.Context())
	})
}
