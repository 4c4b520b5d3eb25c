package otlphttpexporter

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"go.opentelemetry.io/collector/exporter"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// poster makes requests and judges the replies.
type poster struct {
	cfg     *Config
	agent   string
	client  *http.Client
	zippers sync.Pool
}

func newPoster(cfg *Config, set exporter.Settings) (*poster, error) {
	secure, err := tlsConfig(cfg.TLS)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: cfg.Timeout}).DialContext,
		TLSClientConfig:     secure,
		MaxIdleConnsPerHost: 3, // one for each signal
		DisableCompression:  true,
	}
	return &poster{
		cfg:   cfg,
		agent: fmt.Sprintf("%s/%s", set.BuildInfo.Command, set.BuildInfo.Version),
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		zippers: sync.Pool{New: func() any {
			w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
			return w
		}},
	}, nil
}

func tlsConfig(c TLSConfig) (*tls.Config, error) {
	secure := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: c.ServerName, InsecureSkipVerify: c.InsecureSkipVerify,
		ClientSessionCache: tls.NewLRUClientSessionCache(4), // connections are made anew after every freeze
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls::ca_file: %w", err)
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls::ca_file: %s holds no certificate in PEM format", c.CAFile)
		}
	}
	return secure, nil
}

// post sends the bodies as one request. When a connection that had been used before turns out dead, it tries a fresh one.
func (p *poster) post(ctx context.Context, target string, bodies [][]byte) delivery.Outcome {
	ctx, cancel := delivery.WithRunningTime(ctx, p.cfg.Timeout)
	defer cancel()
	body, err := p.encode(bodies)
	if err != nil {
		return delivery.Outcome{Verdict: delivery.Refused, Err: err}
	}
	for {
		outcome, stale := p.once(ctx, target, body)
		if !stale {
			return outcome
		}
		p.client.CloseIdleConnections()
	}
}

func (p *poster) once(ctx context.Context, target string, body []byte) (outcome delivery.Outcome, stale bool) {
	var connected, reused, replied bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:              func(c httptrace.GotConnInfo) { connected, reused = true, c.Reused },
		GotFirstResponseByte: func() { replied = true },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return delivery.Outcome{Verdict: delivery.Refused, Err: err}, false
	}
	request.GetBody = nil // we decide what is sent again, not the transport
	p.decorate(request.Header)
	response, err := p.client.Do(request)
	if err == nil {
		defer response.Body.Close()
		return judge(response), false
	}
	if cause := context.Cause(ctx); cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	if !connected {
		return delivery.Outcome{Verdict: delivery.Unreachable, Err: err}, false
	}
	return delivery.Outcome{Verdict: delivery.Cut, Err: err}, reused && !replied && ctx.Err() == nil
}

func (p *poster) decorate(h http.Header) {
	h.Set("User-Agent", p.agent)
	h.Set("Content-Type", "application/x-protobuf")
	if p.cfg.Compression == "gzip" {
		h.Set("Content-Encoding", "gzip")
	}
	for name, value := range p.cfg.Headers {
		h.Set(name, value)
	}
}

// encode joins the bodies: repeated fields of protobuf messages merge when their bytes are put in a row.
func (p *poster) encode(bodies [][]byte) ([]byte, error) {
	if p.cfg.Compression != "gzip" {
		return bytes.Join(bodies, nil), nil
	}
	var out bytes.Buffer
	zipper := p.zippers.Get().(*gzip.Writer)
	defer p.zippers.Put(zipper)
	zipper.Reset(&out)
	for _, body := range bodies {
		if _, err := zipper.Write(body); err != nil {
			return nil, err
		}
	}
	if err := zipper.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func judge(response *http.Response) delivery.Outcome {
	// Read to the end, so that the connection is kept; replies are small, what is larger is not worth waiting for.
	reply, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	status := response.StatusCode
	switch {
	case status >= 200 && status < 300:
		if err != nil {
			return delivery.Outcome{Verdict: delivery.Delivered} // the status is the acknowledgement
		}
		rejected, why := partialSuccess(reply)
		return delivery.Outcome{Verdict: delivery.Delivered, Rejected: rejected, Err: why}
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		return delivery.Outcome{Verdict: delivery.Busy, RetryAfter: retryAfter(response.Header.Get("Retry-After")), Err: statusError(response, reply)}
	case status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound:
		return delivery.Outcome{Verdict: delivery.Denied, Err: statusError(response, reply)}
	default:
		return delivery.Outcome{Verdict: delivery.Refused, Err: statusError(response, reply)}
	}
}

func statusError(response *http.Response, reply []byte) error {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return ' '
		}
		return r
	}, string(reply[:min(len(reply), 200)]))
	return fmt.Errorf("%s answered %s: %s", response.Request.URL.Redacted(), response.Status, strings.TrimSpace(text))
}

func retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return time.Until(at)
	}
	return 0
}
