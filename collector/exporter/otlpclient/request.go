package otlpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// Protocol is what OTLP over HTTP and over gRPC do differently.
type Protocol struct {
	Target   func(pipeline.Signal) (string, error) // the URL
	Decorate func(http.Header, *Config)
	Judge    func(*http.Response) delivery.Outcome // reads the body to its end
	Prefix   int                                   // bytes left free in front of a body, for Frame
	Frame    func(prefix []byte, size int, compressed bool)
	HTTP2    bool     // HTTP/2 alone, also without TLS
	Proxy    *url.URL // nil: as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say
}

// client makes requests. Its connections and what TLS needs are made when the first one is.
type client struct {
	cfg      *Config
	protocol Protocol
	agent    string
	refresh  func(context.Context) (*Config, error) // fetches secrets again; nil where the host does not
	auth     func(http.RoundTripper) (http.RoundTripper, error)
	zippers  sync.Pool
	zipped   atomic.Int64 // bytes of the largest compressed message so far, within reason: the room to begin with

	mu        sync.Mutex
	http      *http.Client
	idle      func() // closes the connections that rest
	headers   map[string]string
	refreshed bool // since the last request that was taken
}

func newClient(cfg *Config, protocol Protocol, agent string) *client {
	return &client{cfg: cfg, protocol: protocol, agent: agent, headers: cfg.Headers, zippers: sync.Pool{New: func() any {
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		return w
	}}}
}

func (c *client) connections() (*http.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.http != nil {
		return c.http, nil
	}
	secure, err := c.cfg.TLS.load()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: c.cfg.Timeout}).DialContext,
		TLSClientConfig:     secure,
		MaxIdleConnsPerHost: 3, // one for each signal
		DisableCompression:  true,
	}
	if c.protocol.Proxy != nil {
		transport.Proxy = http.ProxyURL(c.protocol.Proxy)
	}
	if c.protocol.HTTP2 {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP2(true)
		transport.Protocols.SetUnencryptedHTTP2(true)
		transport.Proxy = func(q *http.Request) (*url.URL, error) {
			if q.URL.Scheme == "http" {
				return nil, nil // a proxy would need HTTP/1
			}
			return http.ProxyFromEnvironment(q)
		}
	}
	var tripper http.RoundTripper = transport
	if c.auth != nil {
		if tripper, err = c.auth(onceOnly{transport}); err != nil {
			return nil, err
		}
	}
	c.idle = transport.CloseIdleConnections
	c.http = &http.Client{
		Transport:     tripper,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c.http, nil
}

// forget closes the connections that rest: whether they are dead shows only when a request on them is lost.
func (c *client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.http != nil {
		c.idle()
	}
}

// send sends the bodies as one request. When a connection that had been used before turns out dead, it tries a fresh one; when the
// credentials are not taken, it tries once with fresh ones.
func (c *client) send(ctx context.Context, target string, bodies [][]byte) delivery.Outcome {
	ctx, cancel := delivery.WithRunningTime(ctx, c.cfg.Timeout)
	defer cancel()
	made, err := c.connections()
	if err != nil {
		return delivery.Outcome{Verdict: delivery.Denied, Err: err}
	}
	body, err := c.encode(bodies)
	if err != nil {
		return delivery.Outcome{Verdict: delivery.Refused, Err: err}
	}
	for repeats := 0; ; {
		outcome, stale := c.once(ctx, made, target, body)
		outcome.Repeats = repeats
		if outcome.Verdict == delivery.Cut {
			c.forget() // with HTTP/2 the connection of a cut request would be used again
		}
		if stale && repeats < 3 {
			repeats++
			continue
		}
		if errors.Is(outcome.Err, delivery.ErrUnauthorized) && c.renew(ctx) {
			continue
		}
		if outcome.Verdict == delivery.Delivered {
			c.mu.Lock()
			c.refreshed = false
			c.mu.Unlock()
		}
		return outcome
	}
}

// renew fetches the credentials again, once until a request is taken.
func (c *client) renew(ctx context.Context) bool {
	c.mu.Lock()
	tried := c.refreshed || c.refresh == nil
	c.refreshed = true
	c.mu.Unlock()
	if tried {
		return false
	}
	fresh, err := c.refresh(ctx)
	if err != nil || fresh == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := !maps.Equal(c.headers, fresh.Headers)
	c.headers = fresh.Headers
	return changed
}

func (c *client) once(ctx context.Context, made *http.Client, target string, body net.Buffers) (outcome delivery.Outcome, stale bool) {
	var mu sync.Mutex // a dial that lost against a kept connection may still report
	var connected, reused, replied bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:              func(got httptrace.GotConnInfo) { mu.Lock(); defer mu.Unlock(); connected, reused = true, got.Reused },
		GotFirstResponseByte: func() { mu.Lock(); defer mu.Unlock(); replied = true },
	})
	unread := slices.Clone(body) // reading uses it up; without GetBody, so that we decide what is sent again, not the transport
	request, err := http.NewRequestWithContext(traced, http.MethodPost, target, &unread)
	if err != nil {
		return delivery.Outcome{Verdict: delivery.Refused, Err: err}, false
	}
	request.ContentLength = int64(length(body))
	if c.auth != nil {
		request.GetBody = func() (io.ReadCloser, error) {
			again := slices.Clone(body)
			return io.NopCloser(&again), nil
		}
	}
	request.Header.Set("User-Agent", c.agent)
	c.protocol.Decorate(request.Header, c.cfg)
	c.mu.Lock()
	for name, value := range c.headers {
		request.Header.Set(name, value)
	}
	c.mu.Unlock()
	response, err := c.do(made, request)
	if err == nil {
		defer response.Body.Close()
		return c.protocol.Judge(response), false
	}
	if cause := context.Cause(ctx); cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !connected {
		return delivery.Outcome{Verdict: delivery.Unreachable, Err: err}, false
	}
	return delivery.Outcome{Verdict: delivery.Cut, Err: err}, reused && !replied && ctx.Err() == nil
}

// encode joins the bodies, since repeated fields of protobuf messages merge when their bytes are put in a row, and frames them. What is
// not compressed is not copied either.
func (c *client) encode(bodies [][]byte) (net.Buffers, error) {
	prefix, message := make([]byte, c.protocol.Prefix), net.Buffers(bodies)
	compressed := c.cfg.Compression == "gzip"
	if compressed {
		out := bytes.NewBuffer(make([]byte, 0, c.zipped.Load()))
		zipper := c.zippers.Get().(*gzip.Writer)
		defer c.zippers.Put(zipper)
		zipper.Reset(out)
		for _, body := range bodies {
			if _, err := zipper.Write(body); err != nil {
				return nil, err
			}
		}
		if err := zipper.Close(); err != nil {
			return nil, err
		}
		c.zipped.Store(min(max(c.zipped.Load(), int64(out.Len())), maxRequest/8))
		message = net.Buffers{out.Bytes()}
	}
	if c.protocol.Frame != nil {
		c.protocol.Frame(prefix, length(message), compressed)
	}
	return append(net.Buffers{prefix}, message...), nil
}

func length(parts net.Buffers) (n int) {
	for _, part := range parts {
		n += len(part)
	}
	return n
}

// Failure describes a reply that is no success; text is what the backend says about it.
func Failure(response *http.Response, status, text string) error {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return ' '
		}
		return r
	}, text[:min(len(text), 200)])
	return fmt.Errorf("%s answered %s: %s", response.Request.URL.Redacted(), status, strings.TrimSpace(text))
}

// Milliseconds of a duration, at least one.
func Milliseconds(d time.Duration) int64 { return max(1, d.Milliseconds()) }
