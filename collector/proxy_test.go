package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

// proxy passes everything to one address, whatever host was asked for: names of tests are in no DNS.
type proxy struct {
	*httptest.Server
	to    string
	mu    sync.Mutex
	asked []string // method, host and Proxy-Authorization of every request
}

func newProxy(t *testing.T, to string) *proxy {
	p := &proxy{to: to}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, strings.TrimSpace(fmt.Sprint(q.Method, " ", q.Host, " ", q.Header.Get("Proxy-Authorization"))))
	p.mu.Unlock()
	if q.Method == http.MethodConnect {
		p.tunnel(w)
		return
	}
	onward := q.Clone(q.Context())
	onward.RequestURI, onward.URL.Host = "", p.to
	reply, err := http.DefaultTransport.RoundTrip(onward)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer reply.Body.Close()
	w.WriteHeader(reply.StatusCode)
	_, _ = io.Copy(w, reply.Body)
}

func (p *proxy) tunnel(w http.ResponseWriter) {
	there, err := net.Dial("tcp", p.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	here, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	go func() { _, _ = io.Copy(there, buffered); _ = there.Close() }()
	_, _ = io.Copy(here, there)
	_ = here.Close()
}

// secured is the backend behind TLS, over HTTP/2 as well; OTLP over gRPC is answered with OK.
func secured(t *testing.T, b *backend, me trial.Identity) string {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if !strings.HasPrefix(q.Header.Get("Content-Type"), "application/grpc") {
			b.ServeHTTP(w, q)
			return
		}
		frame, err := io.ReadAll(q.Body)
		if err != nil || q.ProtoMajor != 2 || len(frame) < 5 {
			t.Errorf("%s: %d bytes, %v", q.Proto, len(frame), err)
			return
		}
		inner := httptest.NewRequest(http.MethodPost, "/v1/traces", strings.NewReader(string(frame[5:])))
		b.ServeHTTP(httptest.NewRecorder(), inner)
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(make([]byte, 5))
		w.Header().Set("Grpc-Status", "0")
	}))
	s.EnableHTTP2 = true
	s.TLS = me.Server(t, 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestProxies(t *testing.T) {
	me := trial.NewIdentity(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(me.Certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	const plain, tls, grpc = "http://0.0.0.0:%s", "https://example.com:%s", "example.com:%s" // 0.0.0.0 is this machine and not called loopback
	for name, c := range map[string]struct {
		exporter, endpoint, more string
		env                      []string // PROXY is the proxy's host and port
		want                     string   // what the proxy is asked for; PORT is the backend's; "" is nothing
	}{
		"none":                     {"otlphttp", plain, "", nil, ""},
		"HTTP_PROXY":               {"otlphttp", plain, "", []string{"HTTP_PROXY=http://PROXY"}, "POST 0.0.0.0:PORT"},
		"HTTP_PROXY with password": {"otlphttp", plain, "", []string{"HTTP_PROXY=http://me:pw@PROXY"}, "POST 0.0.0.0:PORT Basic bWU6cHc="},
		"HTTP_PROXY of another":    {"otlphttp", plain, "", []string{"HTTPS_PROXY=http://PROXY"}, ""},
		"NO_PROXY":                 {"otlphttp", plain, "", []string{"HTTP_PROXY=http://PROXY", "NO_PROXY=example.org,0.0.0.0"}, ""},
		"HTTPS_PROXY":              {"otlphttp", tls, "", []string{"HTTPS_PROXY=http://PROXY"}, "CONNECT example.com:PORT"},
		"https_proxy":              {"otlphttp", tls, "", []string{"https_proxy=http://PROXY"}, "CONNECT example.com:PORT"},
		"loopback needs none":      {"otlphttp", "http://127.0.0.1:%s", "", []string{"HTTP_PROXY=http://PROXY"}, ""},
		"proxy_url":                {"otlphttp", "http://127.0.0.1:%s", "proxy_url: 'http://PROXY', ", []string{"NO_PROXY=*"}, "POST 127.0.0.1:PORT"},
		"proxy_url with TLS":       {"otlphttp", tls, "proxy_url: 'http://PROXY', ", nil, "CONNECT example.com:PORT"},
		"gRPC, HTTPS_PROXY":        {"otlp", grpc, "", []string{"HTTPS_PROXY=http://PROXY"}, "CONNECT example.com:PORT"},
	} {
		t.Run(name, func(t *testing.T) {
			lambda, b := newLambda(t, true), newBackend(t)
			to := b.Listener.Addr().String()
			if c.endpoint != plain && !strings.HasPrefix(c.endpoint, "http://127") {
				to = secured(t, b, me)
			}
			p := newProxy(t, to)
			_, port, _ := net.SplitHostPort(to)
			fill := strings.NewReplacer("http://PROXY", "http://"+p.Listener.Addr().String(), "@PROXY", "@"+p.Listener.Addr().String(), "PORT", port)
			env := []string{}
			for _, variable := range c.env {
				env = append(env, fill.Replace(variable))
			}
			e := run(t, lambda, fmt.Sprintf("exporters: {%s: {%sendpoint: '%s', tls: {ca_file: '%s'}}}, service: {pipelines: {traces: {receivers: [otlp], exporters: [%[1]s]}}}",
				c.exporter, fill.Replace(c.more), fmt.Sprintf(c.endpoint, port), ca), env...)
			lambda.next()
			lambda.invoke("one", time.Minute)
			e.send("one")
			b.arrive(t, 1)
			lambda.done("one")
			lambda.next()
			lambda.shutdown("spindown")
			if a, _ := e.end(); a.Sent.Spans != 1 {
				t.Errorf("account: %+v", a)
			}
			want := []string{}
			if c.want != "" {
				want = append(want, fill.Replace(c.want))
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if fmt.Sprint(p.asked) != fmt.Sprint(want) {
				t.Errorf("the proxy was asked for %q, not %q", p.asked, want)
			}
		})
	}
}
