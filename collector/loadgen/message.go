package main

import (
	"fmt"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// distinct bytes of messages are sent before the first one comes again: much more than the window of gzip, which would find the
// message of before in a batch of many and compress to nothing.
const distinct = 2 << 20

// messages are OTLP messages of that many spans each, no two alike, the same in every run.
func messages(spans int) (bodies [][]byte) {
	random := rand.New(rand.NewPCG(1, 2))
	for size := 0; size < distinct; {
		body := message(random, spans)
		bodies = append(bodies, body)
		size += len(body)
	}
	return bodies
}

var (
	routes  = []string{"/items/{id}", "/orders/{id}", "/orders/{id}/lines", "/customers/{id}", "/search", "/health"}
	methods = []string{"GET", "GET", "GET", "POST", "PUT", "DELETE"}
	codes   = []int64{200, 200, 200, 200, 201, 204, 302, 404, 500}
	agents  = []string{"python-requests/2.32", "curl/8.14", "Mozilla/5.0 (X11; Linux x86_64)", "okhttp/5.1", "Go-http-client/1.1"}
)

// message is what an SDK sends: a resource, one scope, and spans of an HTTP server with a few attributes.
func message(random *rand.Rand, spans int) []byte {
	d := ptrace.NewTraces()
	rs := d.ResourceSpans().AppendEmpty()
	for _, kv := range [][2]string{{"service.name", "checkout"}, {"faas.name", "checkout"}, {"cloud.provider", "aws"}, {"telemetry.sdk.language", "python"}} {
		rs.Resource().Attributes().PutStr(kv[0], kv[1])
	}
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("opentelemetry.instrumentation.http")
	var trace pcommon.TraceID
	for i := range spans {
		if i%10 == 0 { // ids do not compress
			fill(random, trace[:])
		}
		var id, parent pcommon.SpanID
		fill(random, id[:])
		fill(random, parent[:])
		method, route := pick(random, methods), pick(random, routes)
		s := ss.Spans().AppendEmpty()
		s.SetTraceID(trace)
		s.SetSpanID(id)
		s.SetParentSpanID(parent)
		s.SetName(method + " " + route)
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.Timestamp(1764000000_000000000 + random.Int64N(3600_000_000_000)))
		s.SetEndTimestamp(s.StartTimestamp() + pcommon.Timestamp(random.Int64N(200_000_000)))
		s.Attributes().PutStr("http.request.method", method)
		s.Attributes().PutStr("url.path", fmt.Sprintf("%s/%d", route, random.IntN(1_000_000)))
		s.Attributes().PutInt("http.response.status_code", pick(random, codes))
		s.Attributes().PutStr("server.address", "api.example.com")
		s.Attributes().PutStr("user_agent.original", pick(random, agents))
	}
	body, _ := (&ptrace.ProtoMarshaler{}).MarshalTraces(d)
	return body
}

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

func fill(random *rand.Rand, id []byte) {
	for i := range id {
		id[i] = byte(random.Uint32())
	}
}
