package lambda

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

const sandbox = "sandbox.localdomain"

// Telemetry is the server that Lambda sends telemetry events to.
type Telemetry struct {
	URI string // what Lambda is told

	server *http.Server
	ends   *Ends
}

// ListenForTelemetry opens a port at the address that Lambda reaches: sandbox.localdomain where that is this machine, else loopback.
func ListenForTelemetry(ctx context.Context, ends *Ends) (*Telemetry, error) {
	host, listener := sandbox, net.Listener(nil)
	lookup, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupIP(lookup, "ip4", sandbox)
	if err == nil && !addresses[0].IsUnspecified() {
		listener, err = net.Listen("tcp", net.JoinHostPort(addresses[0].String(), "0"))
	}
	if listener == nil {
		host = "127.0.0.1"
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	t := &Telemetry{URI: "http://" + net.JoinHostPort(host, port) + "/", ends: ends}
	t.server = &http.Server{Handler: t, ReadHeaderTimeout: time.Minute}
	go func() { _ = t.server.Serve(listener) }()
	return t, nil
}

// ServeHTTP takes a batch of events.
func (t *Telemetry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, 16<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ids, err := finished(body)
	if err != nil {
		http.Error(w, "not a list of telemetry events", http.StatusBadRequest)
	}
	for _, id := range ids {
		t.ends.Finish(id)
	}
}

// Close closes the port.
func (t *Telemetry) Close() { _ = t.server.Close() }
