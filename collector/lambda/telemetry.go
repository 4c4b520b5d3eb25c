package lambda

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

const (
	sandbox   = "sandbox.localdomain"
	loopback  = "127.0.0.1"
	hostsFile = "/etc/hosts"
	maxBatch  = 4 << 20 // bytes; Lambda buffers at most 1 MiB
	maxQueue  = 4       // batches that are taken and not yet read; beyond that Lambda waits
)

// Telemetry is the server that Lambda sends telemetry events to. It answers first and reads later.
type Telemetry struct {
	URI string // what Lambda is told

	server *http.Server
	ends   *Ends
	queue  chan batch
	silent atomic.Bool // nothing has come yet: there are emulators that take a subscription and never send
}

// batch is what Lambda sent at once, or nothing but the wish to know when all before it is read.
type batch struct {
	body []byte
	read chan<- struct{}
}

// ListenForTelemetry opens a port (0: any) at the address that Lambda reaches: sandbox.localdomain where that is this machine, else loopback.
// When that has been refused, name says to ask a name server too, and to announce the name in any case.
func (a *API) ListenForTelemetry(ctx context.Context, ends *Ends, port int, name bool) (*Telemetry, error) {
	host, listener, number := sandbox, net.Listener(nil), strconv.Itoa(port)
	var err error
	if ip := sandboxIP(ctx, hostsFile, a.address, name); ip != nil {
		listener, _ = delivery.Listen(net.JoinHostPort(ip.String(), number))
	}
	if listener == nil {
		if listener, err = delivery.Listen(net.JoinHostPort(loopback, number)); err != nil {
			return nil, err
		}
		if !name {
			host = loopback
		}
	}
	_, number, _ = net.SplitHostPort(listener.Addr().String())
	t := &Telemetry{URI: "http://" + net.JoinHostPort(host, number) + "/", ends: ends, queue: make(chan batch, maxQueue)}
	t.silent.Store(true)
	t.server = &http.Server{Handler: t, ReadHeaderTimeout: time.Minute}
	go func() { _ = t.server.Serve(listener) }()
	return t, nil
}

// Named tells whether Lambda is told a name rather than an address.
func (t *Telemetry) Named() bool { return strings.Contains(t.URI, sandbox) }

// sandboxIP is the address of sandbox.localdomain; nil when it has none. Lambda writes it into a file, which package net would read after three
// others. Where Lambda's API is on loopback, as in emulators, no name server is asked at first: it may take long to say no.
func sandboxIP(ctx context.Context, file, api string, ask bool) net.IP {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 1 && slices.Contains(words[1:], sandbox) {
			if ip := net.ParseIP(words[0]).To4(); ip != nil && !ip.IsUnspecified() {
				return ip
			}
		}
	}
	if host, _, _ := net.SplitHostPort(api); !ask && (host == "localhost" || net.ParseIP(host).IsLoopback()) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	found, err := net.DefaultResolver.LookupIP(ctx, "ip4", sandbox)
	if err != nil || found[0].IsUnspecified() {
		return nil
	}
	return found[0]
}

// ServeHTTP takes a batch of events.
func (t *Telemetry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	t.silent.Store(false)
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxBatch))
	if err != nil {
		t.ends.Lost()
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case t.queue <- batch{body: body}:
	case <-q.Context().Done():
		t.ends.Lost()
	}
}

// Deliver begins to read the batches, one at a time. Invocations end when consume has had their events.
func (t *Telemetry) Deliver(consume func([]delivery.TelemetryEvent)) {
	go func() {
		for next := range t.queue {
			if next.read != nil {
				close(next.read)
				continue
			}
			t.read(next.body, consume)
		}
	}()
}

// Settle returns when every batch that was taken is read, or when ctx ends: Lambda has our answer and sends none of them again.
func (t *Telemetry) Settle(ctx context.Context) {
	read := make(chan struct{})
	select {
	case t.queue <- batch{read: read}:
	case <-ctx.Done():
		return
	}
	select {
	case <-read:
	case <-ctx.Done():
	}
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
