package otlphttpexporter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

// signer authenticates as signing extensions do: it reads the body by GetBody, and sends a copy of the request.
type signer struct{ component.Component }

type signing struct{ base http.RoundTripper }

func (signer) RoundTripper(base http.RoundTripper) (http.RoundTripper, error) {
	return signing{base}, nil
}

func (s signing) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := q.GetBody()
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return nil, err
	}
	copied := q.Clone(q.Context())
	copied.Header.Set("X-Sum", hex.EncodeToString(sum.Sum(nil)))
	return s.base.RoundTrip(copied)
}

func signed(q *http.Request) bool {
	body, err := io.ReadAll(q.Body)
	sum := sha256.Sum256(body)
	return err == nil && len(body) > 0 && q.Header.Get("X-Sum") == hex.EncodeToString(sum[:])
}

func with(name string, e component.Component) *trial.Host {
	id := component.ID{}
	if err := id.UnmarshalText([]byte(name)); err != nil {
		panic(err)
	}
	return &trial.Host{Extensions: map[component.ID]component.Component{id: e}}
}

func TestAnExtensionSignsWhatIsSent(t *testing.T) {
	var good, bad atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		if signed(q) {
			good.Add(1)
		} else {
			bad.Add(1)
		}
	}))
	defer s.Close()
	for _, compression := range []string{"gzip", "none"} {
		good.Store(0)
		e, err := startIn(t, "{endpoint: '"+s.URL+"', compression: "+compression+", auth: {authenticator: sig/one}}", with("sig/one", signer{}))
		if err != nil {
			t.Fatal(err)
		}
		consume(t, e, 3)
		flush(e)
		if good.Load() != 3 || bad.Load() != 0 {
			t.Errorf("%s: %d requests were signed, %d were not", compression, good.Load(), bad.Load())
		}
	}
}

// net/http itself sends a request again that has GetBody; then it could arrive twice and nobody would have counted it.
func TestAuthenticatedRequestsAreSentAgainByUsAlone(t *testing.T) {
	var requests atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if !signed(q) {
			t.Error("a request is not signed")
		}
		if requests.Add(1) == 2 { // on the connection that the first one left
			raw, _, _ := w.(http.Hijacker).Hijack()
			_ = raw.(*net.TCPConn).SetLinger(0)
			_ = raw.Close()
		}
	}))
	defer s.Close()
	h := with("sig", signer{})
	e, err := startIn(t, "{endpoint: '"+s.URL+"', auth: {authenticator: sig}}", h)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		td := ptrace.NewTraces()
		td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName("span")
		if err := e.ConsumeTraces(t.Context(), td); err != nil {
			t.Fatal(err)
		}
		flush(e)
	}
	if requests.Load() != 3 {
		t.Errorf("%d requests, want 3", requests.Load())
	}
	if got := h.Tally().Resent.Counts().Sum(); got != 1 {
		t.Errorf("%d records are counted as sent again, want 1", got)
	}
}

// hanging waits for a token without regard to the request's context.
type hanging struct {
	component.Component
	token chan struct{}
}

func (h hanging) RoundTripper(base http.RoundTripper) (http.RoundTripper, error) {
	return roundTrip(func(q *http.Request) (*http.Response, error) {
		<-h.token
		return base.RoundTrip(q)
	}), nil
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

func TestAnAuthenticatorThatHangsHoldsNothingUp(t *testing.T) {
	var requests atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer s.Close()
	h := with("oauth2client", hanging{token: make(chan struct{})})
	e, err := startIn(t, "{endpoint: '"+s.URL+"', timeout: 50ms, auth: {authenticator: oauth2client}}", h)
	if err != nil {
		t.Fatal(err)
	}
	consume(t, e, 1)
	flush(e) // comes back although no token does
	if requests.Load() != 0 || e.Held().Sum() != 3 {
		t.Errorf("%d requests, %d records are kept, want none and 3", requests.Load(), e.Held().Sum())
	}
	for id := range h.Extensions {
		close(h.Extensions[id].(hanging).token)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	e.FlushLast(ctx)
	if requests.Load() != 3 || e.Held().Sum() != 0 { // what was left behind is not sent as well
		t.Errorf("%d requests, %d records are kept, want 3 and none", requests.Load(), e.Held().Sum())
	}
	if n := h.Tally().Resent.Counts().Sum(); n != 0 {
		t.Errorf("%d records are counted as sent again", n)
	}
}

func TestAnAuthenticatorThatIsNotThereIsNamed(t *testing.T) {
	for name, want := range map[string]string{
		"basicauth": "there is no extension basicauth in service::extensions",
		"other":     "other authenticates no client",
	} {
		_, err := startIn(t, "{endpoint: 'http://127.0.0.1:1', auth: {authenticator: "+name+"}}", with("other", struct{ component.Component }{}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
