package otlphttpexporter

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/wire"
)

// picky is a backend that decodes, and that refuses whatever holds a span with a name that it does not like.
type picky struct {
	mu       sync.Mutex
	spans    map[string]int
	unsound  int // requests that no decoder takes
	requests int
}

const disliked = "!"

func (p *picky) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	plain, err := gzip.NewReader(q.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	body, _ := io.ReadAll(plain)
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
	names := []string{}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				names = append(names, span.Name())
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	if err != nil {
		p.unsound++
	}
	if err != nil || strings.Contains(strings.Join(names, " "), disliked) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, name := range names {
		p.spans[name]++
	}
}

func oneSpan(name string) []byte {
	td := ptrace.NewTraces()
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName(name)
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		panic(err)
	}
	return body
}

// FuzzBatch: whatever rides between two good bodies in one batch, these arrive, once, no request is undecodable, and the account is exact.
func FuzzBatch(f *testing.F) {
	for _, name := range []string{"", "a", disliked, strings.Repeat("x", 300)} {
		f.Add(oneSpan(name), oneSpan(disliked))
	}
	f.Add([]byte("\x0a\x00\x12"), []byte("\x0a\x05\x12\x03\x12\x01"))
	f.Add(append(oneSpan("a"), oneSpan(disliked)...), []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		p := &picky{spans: map[string]int{}}
		server := httptest.NewServer(p)
		defer server.Close()
		e, h := start(t, "{endpoint: '"+server.URL+"'}")
		e.Hold(true) // so that all ride together
		put := 0
		for _, body := range [][]byte{oneSpan("first good"), a, b, oneSpan("last good")} {
			if n, err := wire.Count(pipeline.SignalTraces, body); err == nil { // as the receiver lets it in
				put += n
				if err := e.ConsumeRaw(t.Context(), pipeline.SignalTraces, body, n); err != nil {
					t.Fatal(err)
				}
			} else if td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body); err == nil {
				put += td.SpanCount()
				if err := e.ConsumeTraces(t.Context(), td); err != nil {
					t.Fatal(err)
				}
			}
		}
		e.Hold(false)
		flush(e)
		p.mu.Lock()
		defer p.mu.Unlock()
		mine := 0 // a fuzzed body may name its spans as ours
		for _, body := range [][]byte{a, b} {
			if td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body); err == nil {
				mine += td.SpanCount()
			}
		}
		for _, name := range []string{"first good", "last good"} {
			if n := p.spans[name]; n < 1 || (n > 1 && mine == 0) {
				t.Errorf("%q arrived %d times", name, n)
			}
		}
		sent, dropped, held := h.Tally().Sent.Counts().Spans, h.Tally().Dropped.Counts().Spans, e.Held().Spans
		if p.unsound > 0 || sent+dropped != int64(put) || held != 0 || sent < 2 {
			t.Errorf("%d put, %d sent, %d dropped, %d held; %d of %d requests undecodable", put, sent, dropped, held, p.unsound, p.requests)
		}
	})
}
