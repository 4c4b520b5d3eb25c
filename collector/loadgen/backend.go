package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/wire"
)

// backend counts the spans that arrive; with a rate it answers only when that many may have been taken.
type backend struct {
	mu                     sync.Mutex
	rate                   int
	free                   time.Time // when it may take more
	spans, requests, bytes int
}

func (b *backend) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	size := len(body)
	if err == nil && q.Header.Get("Content-Encoding") == "gzip" {
		var plain *gzip.Reader
		if plain, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, err = io.ReadAll(plain)
		}
	}
	n := 0
	if err == nil {
		n, err = wire.Count(pipeline.SignalTraces, body)
	}
	b.mu.Lock()
	var pause time.Duration
	if b.rate > 0 {
		if now := time.Now(); b.free.Before(now) {
			b.free = now
		}
		b.free = b.free.Add(time.Duration(float64(n) / float64(b.rate) * float64(time.Second)))
		pause = time.Until(b.free)
	}
	b.mu.Unlock()
	time.Sleep(pause)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests++
	b.bytes += size
	if b.spans += n; err != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
}

func (b *backend) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rate = 0
}

func (b *backend) counts() (spans, requests, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spans, b.requests, b.bytes
}

// settle waits until everything has arrived, or nothing has for two seconds.
func (b *backend) settle(sent int) {
	last, quiet := -1, 0
	for quiet < 40 {
		n, _, _ := b.counts()
		if n >= sent {
			return
		}
		if quiet++; n != last {
			last, quiet = n, 0
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// used is what a process has used so far.
type used struct{ cpu, rss, peak float64 } // seconds, MB

func usage(pid int) (u used, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, ticks := range fields[11:13] { // user, system
		n, _ := strconv.Atoi(ticks)
		u.cpu += float64(n) / 100
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if name, value, _ := strings.Cut(line, ":"); name == "VmRSS" || name == "VmHWM" {
			kb, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			if name == "VmRSS" {
				u.rss = kb / 1024
			} else {
				u.peak = kb / 1024
			}
		}
	}
	return u, err
}

// request is what an SDK sends: a resource, one scope, and spans of an HTTP server with a few attributes.
func request(spans int) []byte {
	d := ptrace.NewTraces()
	rs := d.ResourceSpans().AppendEmpty()
	for _, kv := range [][2]string{{"service.name", "checkout"}, {"faas.name", "checkout"}, {"cloud.provider", "aws"}, {"telemetry.sdk.language", "python"}} {
		rs.Resource().Attributes().PutStr(kv[0], kv[1])
	}
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("opentelemetry.instrumentation.http")
	seed := uint64(88172645463325252)
	next := func() byte { // xorshift: ids that do not compress, as in life
		seed ^= seed << 13
		seed ^= seed >> 7
		seed ^= seed << 17
		return byte(seed)
	}
	for i := range spans {
		s := ss.Spans().AppendEmpty()
		var trace pcommon.TraceID
		var id, parent pcommon.SpanID
		for j := range trace {
			trace[j] = next()
		}
		for j := range id {
			id[j], parent[j] = next(), next()
		}
		s.SetTraceID(trace)
		s.SetSpanID(id)
		s.SetParentSpanID(parent)
		s.SetName("GET /items/{id}")
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.Timestamp(1764000000_000000000 + int(next())*1_000_003))
		s.SetEndTimestamp(s.StartTimestamp() + pcommon.Timestamp(int(next())*10_007))
		s.Attributes().PutStr("http.request.method", "GET")
		s.Attributes().PutStr("url.path", fmt.Sprintf("/items/%d", i*7919))
		s.Attributes().PutInt("http.response.status_code", 200)
		s.Attributes().PutStr("server.address", "api.example.com")
		s.Attributes().PutStr("user_agent.original", "python-requests/2.32")
	}
	body, _ := (&ptrace.ProtoMarshaler{}).MarshalTraces(d)
	return body
}
