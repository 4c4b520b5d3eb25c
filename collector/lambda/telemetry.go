package lambda

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

const (
	sandbox  = "sandbox.localdomain"
	maxBatch = 4 << 20 // bytes; Lambda buffers at most 1 MiB
	maxQueue = 4       // batches that are taken and not yet read; beyond that Lambda waits
)

// Telemetry is the server that Lambda sends telemetry events to. It answers first and reads later.
type Telemetry struct {
	URI string // what Lambda is told

	server *http.Server
	ends   *Ends
	queue  chan []byte
}

// ListenForTelemetry opens a port (0: any) at the address that Lambda reaches: sandbox.localdomain where that is this machine, else loopback.
func ListenForTelemetry(ctx context.Context, ends *Ends, port int) (*Telemetry, error) {
	host, listener, number := sandbox, net.Listener(nil), strconv.Itoa(port)
	lookup, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupIP(lookup, "ip4", sandbox)
	if err == nil && !addresses[0].IsUnspecified() {
		listener, err = net.Listen("tcp", net.JoinHostPort(addresses[0].String(), number))
	}
	if listener == nil {
		host = "127.0.0.1"
		if listener, err = net.Listen("tcp", net.JoinHostPort(host, number)); err != nil {
			return nil, err
		}
	}
	_, number, _ = net.SplitHostPort(listener.Addr().String())
	t := &Telemetry{URI: "http://" + net.JoinHostPort(host, number) + "/", ends: ends, queue: make(chan []byte, maxQueue)}
	t.server = &http.Server{Handler: t, ReadHeaderTimeout: time.Minute}
	go func() { _ = t.server.Serve(listener) }()
	return t, nil
}

// ServeHTTP takes a batch of events.
func (t *Telemetry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxBatch))
	if err != nil {
		t.ends.Lost()
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case t.queue <- body:
	case <-q.Context().Done():
	}
}

// Deliver begins to read the batches, one at a time. Invocations end when consume has had their events.
func (t *Telemetry) Deliver(consume func([]delivery.TelemetryEvent)) {
	go func() {
		for body := range t.queue {
			t.read(body, consume)
		}
	}()
}

func (t *Telemetry) read(body []byte, consume func([]delivery.TelemetryEvent)) {
	events, err := telemetryEvents(body) // of a damaged batch what can be read
	if len(events) > 0 {
		consume(events)
	}
	if err != nil {
		t.ends.Lost()
	}
	for _, event := range events {
		if event.Type == "platform.logsDropped" {
			t.ends.Lost()
		}
		if id, ok := finished(event); ok {
			t.ends.RuntimeDone(id)
		}
	}
}

// Close closes the port.
func (t *Telemetry) Close() { _ = t.server.Close() }
