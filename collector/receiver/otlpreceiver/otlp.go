package otlpreceiver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/receiver/shared"
)

type otlpReceiver struct {
	shared.Next

	cfg    *Config
	logger *zap.Logger
	tally  *delivery.Tally
	ended  func(requestID string) // nil in a host that is not Lambda's
	turn   turn                   // of a large message

	start     sync.Once
	servers   []*http.Server
	direct    []*direct
	bound     map[string]string // the address of each protocol, when its port was to be any
	addresses []string
}

// Start is called once for every signal; the first call listens.
func (r *otlpReceiver) Start(_ context.Context, host component.Host) (err error) {
	r.start.Do(func() {
		r.tally, r.bound = delivery.TallyOf(host), map[string]string{}
		if h, ok := host.(interface{ InvocationEnded(requestID string) }); ok {
			r.ended = h.InvocationEnded
		}
		if s := r.cfg.Protocols.HTTP; s != nil {
			err = r.serve("http", s.Endpoint, r.httpHandler(s), func(l net.Listener) net.Listener {
				d := newDirect(r, s, l)
				r.direct = append(r.direct, d)
				return d
			})
		}
		if s := r.cfg.Protocols.GRPC; s != nil {
			err = errors.Join(err, r.serve("grpc", s.Endpoint, r.grpcHandler(s), func(l net.Listener) net.Listener { return l }))
		}
	})
	return err
}

func (r *otlpReceiver) serve(protocol, endpoint string, handler http.Handler, before func(net.Listener) net.Listener) error {
	listeners, err := r.listen(endpoint)
	if err != nil {
		return fmt.Errorf("protocols::%s::endpoint: %w", protocol, err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: protocols, ReadHeaderTimeout: time.Minute, ErrorLog: zap.NewStdLog(r.logger)}
	r.servers = append(r.servers, server)
	r.bound[protocol] = listeners[0].Addr().String()
	for _, l := range listeners {
		r.addresses = append(r.addresses, l.Addr().String())
		first := before(l)
		go func() {
			if err := server.Serve(first); !errors.Is(err, http.ErrServerClosed) {
				r.logger.Error("receiver stopped", zap.String("protocol", protocol), zap.Error(err))
			}
		}()
	}
	return nil
}

// listen listens on loopback only. localhost means IPv4, and IPv6 where the machine has it: clients differ in which they try.
func (r *otlpReceiver) listen(endpoint string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(endpoint)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && !ip.IsLoopback()) {
		r.logger.Warn("receiver listens on localhost instead: an extension has no callers from outside", zap.String("endpoint", endpoint))
		host = "localhost"
	}
	if host != "localhost" {
		l, err := delivery.Listen(net.JoinHostPort(host, port))
		return []net.Listener{l}, err
	}
	first, err := delivery.Listen(net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	_, port, _ = net.SplitHostPort(first.Addr().String())
	if second, err := delivery.Listen(net.JoinHostPort("::1", port)); err == nil {
		return []net.Listener{first, second}, nil
	}
	return []net.Listener{first}, nil
}

// Shutdown lets requests that have begun end, then closes the ports.
func (r *otlpReceiver) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	for _, server := range r.servers {
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	}
	for _, d := range r.direct {
		d.wait(ctx)
	}
	return nil
}
