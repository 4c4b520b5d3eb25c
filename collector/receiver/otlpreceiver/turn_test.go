package otlpreceiver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"

	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

// many is a message of more than a MiB.
func many() []byte { return traces(150_000) }

// held runs a receiver whose pipeline keeps each large message until it is told to go on.
func held(t *testing.T, patience time.Duration) (url string, inside *atomic.Int32, entered chan int, goOn chan struct{}) {
	t.Helper()
	inside, entered, goOn = new(atomic.Int32), make(chan int, 16), make(chan struct{})
	next, _ := consumer.NewTraces(func(_ context.Context, d ptrace.Traces) error {
		if d.SpanCount() > 1 {
			inside.Add(1)
			defer inside.Add(-1)
			entered <- d.SpanCount()
			<-goOn
		}
		return nil
	})
	f := NewFactory()
	cfg := f.CreateDefaultConfig().(*Config)
	cfg.Protocols.GRPC, cfg.Protocols.HTTP.Endpoint = nil, "localhost:0"
	made, err := f.CreateTraces(t.Context(), receiver.Settings{ID: component.MustNewID("otlp"), TelemetrySettings: trial.Telemetry()}, cfg, next)
	if err != nil {
		t.Fatal(err)
	}
	r := made.(*otlpReceiver)
	r.turn = newTurn(patience)
	if err := r.Start(t.Context(), &trial.Host{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Shutdown(context.Background()) })
	return "http://" + r.bound["http"] + "/v1/traces", inside, entered, goOn
}

// send is post for other goroutines.
func send(t *testing.T, url, encoding string, body []byte) {
	q, _ := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	q.Header = http.Header{"Content-Type": {typeProtobuf}, "Content-Encoding": {encoding}}
	reply, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Error(err)
		return
	}
	_ = reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		t.Errorf("status %d", reply.StatusCode)
	}
}

func TestOneLargeMessageAtATime(t *testing.T) {
	url, inside, entered, goOn := held(t, time.Hour)
	large := many()
	bodies := map[string][]byte{"": large, "gzip": gzipped(large), "zstd": zstandard(large)}
	for encoding, body := range bodies {
		go send(t, url, encoding, body)
	}
	for range bodies {
		<-entered
		if status, _ := post(t, url, typeProtobuf, "", bytes.NewReader(traces(1))); status != http.StatusOK {
			t.Errorf("status %d", status)
		} // small ones pass meanwhile
		if n := inside.Load(); n != 1 {
			t.Errorf("%d large messages at once", n)
		}
		goOn <- struct{}{}
	}
}

func TestALargeMessageWaitsOnlySoLongForAnother(t *testing.T) {
	url, _, entered, goOn := held(t, 0)
	for range 2 {
		go send(t, url, "", many())
	}
	<-entered
	<-entered // although the first is still inside
	goOn <- struct{}{}
	goOn <- struct{}{}
}

func TestTheTurnIsGivenBackAfterABrokenMessage(t *testing.T) {
	r := &otlpReceiver{turn: newTurn(time.Hour)}
	for range 3 {
		broken := io.MultiReader(bytes.NewReader(make([]byte, 2*trusted)), failing{})
		_, done, err := r.read(broken, "", -1, 20*trusted)
		done()
		if !errors.As(err, &badMessage{}) {
			t.Fatalf("got %v", err)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("reset") }
