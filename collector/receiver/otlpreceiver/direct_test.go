package otlpreceiver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// raw is a request as its bytes.
func raw(path, headers string, body []byte) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost:4318\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n%s\r\n%s", path, len(body), headers, body)
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// converse sends bytes, and no more, and returns the replies until the connection ends: status, type and body of each.
func converse(t *testing.T, address string, parts ...string) (replies []string) {
	t.Helper()
	c := dial(t, address)
	go func() {
		for _, part := range parts {
			_, _ = io.WriteString(c, part)
		}
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	for reader := bufio.NewReader(c); ; {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return replies
		}
		body, _ := io.ReadAll(response.Body)
		replies = append(replies, fmt.Sprintf("%d %s %q", response.StatusCode, response.Header.Get("Content-Type"), body))
	}
}

// Whatever comes is answered as net/http alone answers it, and the same records are taken.
func TestRequestsAreAnsweredAsNetHTTPAnswersThem(t *testing.T) {
	f := &forward{}
	r, _ := startForward(t, f, func(c *Config) { c.Protocols.HTTP.MaxRequestBodySize = 20_000 })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: r.httpHandler(r.cfg.Protocols.HTTP)}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	good, body := raw("/v1/traces", "", traces(3)), traces(3)
	with := func(headers string) string { return raw("/v1/traces", headers, body) }
	chunked := "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	cases := map[string][]string{
		"plain":                   {good},
		"twice":                   {good + good},
		"the three signals":       {good + raw("/v1/metrics", "", metrics(2)) + raw("/v1/logs", "", logs(4))},
		"head in two parts":       {good[:30], good[30:]},
		"body in parts":           {good[:len(good)-20], good[len(good)-20:]},
		"large body":              {raw("/v1/traces", "", traces(1000))},
		"too large":               {raw("/v1/traces", "", traces(3000))},
		"too large, then another": {raw("/v1/traces", "", traces(3000)) + good},
		"gzip":                    {raw("/v1/traces", "Content-Encoding: gzip\r\n", gzipped(body)) + good},
		"GZIP":                    {raw("/v1/traces", "CONTENT-ENCODING: GZIP\r\n", gzipped(body)) + good},
		"gzip with bytes behind":  {raw("/v1/traces", "Content-Encoding: gzip\r\n", append(gzipped(body), "xx"...)) + good},
		"deflate, bytes behind":   {raw("/v1/traces", "Content-Encoding: deflate\r\n", append(deflated(body), "xx"...)) + good},
		"zstd":                    {raw("/v1/traces", "Content-Encoding: zstd\r\n", zstandard(body)) + good},
		"unknown compression":     {with("Content-Encoding: br\r\n") + good},
		"nonsense":                {raw("/v1/traces", "", []byte("nonsense")) + good},
		"empty":                   {raw("/v1/traces", "", nil) + good},
		"JSON":                    {strings.Replace(raw("/v1/traces", "", []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"}]}]}]}`)), "x-protobuf", "json; charset=utf-8", 1)},
		"bad JSON":                {strings.Replace(raw("/v1/traces", "", []byte(`{`)), "x-protobuf", "JSON", 1) + good},
		"another type":            {strings.Replace(good, "x-protobuf", "xml", 1) + good},
		"no type":                 {strings.Replace(good, "Content-Type", "X-Content", 1) + good},
		"types":                   {with("Content-Type: application/json\r\n")},
		"kept":                    {with("Connection: keep-alive\r\n") + good},
		"closed":                  {with("Connection: close\r\n") + good},
		"upgrade":                 {with("Connection: Upgrade\r\nUpgrade: h2c\r\n") + good},
		"expect":                  {with("Expect: 100-continue\r\n") + good},
		"expect else":             {with("Expect: miracles\r\n") + good},
		"chunked":                 {chunked + good},
		"chunked between":         {good + chunked + good},
		"chunked and a length":    {with("Transfer-Encoding: chunked\r\n") + good},
		"two lengths":             {with("Content-Length: 3\r\n") + good},
		"same length twice":       {with(fmt.Sprintf("Content-Length: %d\r\n", len(body))) + good},
		"signed length":           {strings.Replace(good, "Content-Length: ", "Content-Length: +", 1)},
		"huge length":             {"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\nContent-Length: 99999999999999999999\r\n\r\n"},
		"space before a colon":    {with("Content-Length : 3\r\n") + good},
		"folded":                  {with("X-A: b\r\n  c\r\n") + good},
		"no colon":                {with("nonsense\r\n") + good},
		"no name":                 {with(": x\r\n") + good},
		"control character":       {with("X-A: a\x01b\r\n") + good},
		"lone line feed":          {with("X-A: a\nContent-Length: 3\r\n") + good},
		"lone return":             {with("X-A: a\rContent-Length: 3\r\n") + good},
		"line feeds only":         {strings.ReplaceAll(good, "\r\n", "\n")},
		"beyond ASCII":            {with("X-A: ä\r\n") + good},
		"no host":                 {strings.Replace(good, "Host: localhost:4318\r\n", "", 1) + good},
		"two hosts":               {with("Host: b\r\n") + good},
		"bad host":                {strings.Replace(good, "localhost:4318", "a b", 1) + good},
		"empty host":              {strings.Replace(good, "localhost:4318", "", 1) + good},
		"IPv6 host":               {strings.Replace(good, "localhost:4318", "[::1]:4318", 1) + good},
		"other path":              {raw("/v1/other", "", body) + good},
		"slash behind":            {raw("/v1/traces/", "", body) + good},
		"query":                   {raw("/v1/traces?a=b", "", body) + good},
		"whole URL":               {raw("http://localhost/v1/traces", "", body) + good},
		"GET":                     {strings.Replace(good, "POST", "GET", 1) + good},
		"post":                    {strings.Replace(good, "POST", "post", 1) + good},
		"HTTP/1.0":                {strings.Replace(good, "HTTP/1.1", "HTTP/1.0", 1) + good},
		"HTTP/1.2":                {strings.Replace(good, "HTTP/1.1", "HTTP/1.2", 1) + good},
		"two spaces":              {strings.Replace(good, "POST ", "POST  ", 1) + good},
		"long head":               {with("X-A: "+strings.Repeat("a", 5000)+"\r\n") + good},
		"end of an invocation":    {with("X-Otel-Lambda-Invocation-End: 1-2\r\n") + good},
		"not HTTP":                {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
		"cut in the body":         {good[:len(good)-5]},
		"cut in the head":         {good[:30]},
		"nothing":                 nil,
	}
	for name, parts := range cases {
		t.Run(name, func(t *testing.T) {
			*f = forward{}
			want := converse(t, listener.Addr().String(), parts...)
			bodies, decoded := f.bodies, f.decoded
			*f = forward{}
			got := converse(t, r.bound["http"], parts...)
			// net/http answers 400 to who has hung up in the middle of a body; nobody reads that.
			if name != "cut in the body" && !slices.Equal(got, want) {
				t.Errorf("answers\n%s\nbut net/http\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if decoded != f.decoded || !slices.EqualFunc(bodies, f.bodies, bytes.Equal) {
				t.Errorf("took %d bodies, %d decoded, but by net/http %d, %d", len(f.bodies), f.decoded, len(bodies), decoded)
			}
		})
	}
}

// The cases above prove nothing if everything went to net/http.
func TestOrdinaryRequestsDoNotNeedNetHTTP(t *testing.T) {
	f := &forward{}
	r, _ := startForward(t, f, nil)
	var handed atomic.Int32
	for _, server := range r.servers {
		server.ConnState = func(net.Conn, http.ConnState) { handed.Add(1) }
	}
	address := r.bound["http"]
	for range 3 {
		if status, reply := post(t, "http://"+address+"/v1/traces", protobuf, "", bytes.NewReader(traces(2))); status != 200 || reply != "" {
			t.Errorf("%d %q", status, reply)
		}
	}
	python := "POST /v1/logs HTTP/1.1\r\nHost: localhost:4318\r\nUser-Agent: OTel-OTLP-Exporter-Python/1.36.0\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n" +
		"Connection: keep-alive\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
	zipped := gzipped(logs(4))
	if got := converse(t, address, fmt.Sprintf(python, len(zipped), zipped)); len(got) != 1 || !strings.HasPrefix(got[0], "200 ") {
		t.Errorf("%q", got)
	}
	if f.records != 3*2+4 || handed.Load() != 0 {
		t.Errorf("%d records; net/http had connections: %t", f.records, handed.Load() != 0)
	}
}

func TestClosingLetsRequestsEndThatHaveBegun(t *testing.T) {
	f := &forward{}
	r, _ := startForward(t, f, nil)
	d := r.direct[0]
	idle, busy := dial(t, r.bound["http"]), dial(t, r.bound["http"])
	good := raw("/v1/traces", "", traces(3))
	reader := bufio.NewReader(busy)
	for _, c := range []net.Conn{idle, busy} { // both are served
		_, _ = io.WriteString(c, good)
		if response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(c, int64(len(response(200, typeProtobuf, nil))))), nil); err != nil || response.StatusCode != 200 {
			t.Fatal(response, err)
		}
	}
	_, _ = io.WriteString(busy, good[:len(good)-10])
	for begun := false; !begun; { // until the head was read
		d.mu.Lock()
		for c := range d.open {
			begun = begun || c.busy.Load()
		}
		d.mu.Unlock()
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := idle.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the connection that rested: %d bytes, %v", n, err)
	}
	if _, err := net.Dial("tcp", r.bound["http"]); err == nil {
		t.Error("the port is open")
	}
	_, _ = io.WriteString(busy, good[len(good)-10:])
	if response, err := http.ReadResponse(reader, nil); err != nil || response.StatusCode != 200 {
		t.Error(response, err)
	}
	d.wait(context.Background())
	if _, err := reader.ReadByte(); err == nil {
		t.Error("the connection goes on")
	}
	if f.records != 9 {
		t.Errorf("%d records", f.records)
	}
}

func TestWaitingForARequestThatNeverEndsHasAnEnd(t *testing.T) {
	r, _ := startForward(t, &forward{}, nil)
	c := dial(t, r.bound["http"])
	good := raw("/v1/traces", "", traces(3))
	_, _ = io.WriteString(c, good+good[:len(good)-10])
	if response, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || response.StatusCode != 200 {
		t.Fatal(response, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := r.direct[0]
	_ = d.Close()
	d.wait(ctx)
	d.running.Wait() // hangs unless the connection was closed
}

// panics is a pipeline that does.
type panics struct{ forward }

func (p *panics) ConsumeRaw(context.Context, pipeline.Signal, []byte, int) error { panic("trips") }

func TestPanicCostsItsConnection(t *testing.T) {
	f := &forward{}
	r, _ := startForward(t, f, nil)
	r.Metrics = &panics{}
	if got := converse(t, r.bound["http"], raw("/v1/metrics", "", metrics(1))+raw("/v1/traces", "", traces(1))); got != nil {
		t.Errorf("answered %q", got)
	}
	if got := converse(t, r.bound["http"], raw("/v1/traces", "", traces(1))); len(got) != 1 {
		t.Errorf("answered %q", got)
	}
}

func TestFailingPipelineIsToldToTheSender(t *testing.T) {
	f := &forward{fails: errors.New("no")}
	r, h := startForward(t, f, nil)
	got := converse(t, r.bound["http"], raw("/v1/traces", "", traces(2)))
	if want := fmt.Sprintf("200 %s %q", typeProtobuf, partialSuccess(nil, 2)); len(got) != 1 || got[0] != want || h.Tally().DroppedBy(delivery.Failed).Spans != 2 {
		t.Errorf("%q, not %q; dropped %+v", got, want, h.Tally().Dropped.Counts())
	}
}

// What head knows net/http's reader accepts, and finds the same in it.
func FuzzHead(f *testing.F) {
	good := raw("/v1/traces", "", traces(1))
	for _, seed := range []string{
		good, good[:40], raw("/v1/logs", "Content-Encoding: gzip\r\nX-Otel-Lambda-Invocation-End: 1\r\n", nil),
		raw("/v1/traces", "Connection: keep-alive\r\nX-A:\tb \r\n", nil), raw("/v1/traces", "Transfer-Encoding: chunked\r\n", nil),
		strings.ReplaceAll(good, "\r\n", "\n"), strings.Replace(good, "x-protobuf", "json ; a=b", 1),
	} {
		f.Add([]byte(seed))
	}
	known := head{paths: createDefaultConfig().(*Config).Protocols.HTTP.paths()}
	f.Fuzz(func(t *testing.T, buf []byte) {
		m, size, ok := known.parse(buf)
		if !ok {
			return
		}
		reader := bufio.NewReader(bytes.NewReader(buf))
		q, err := http.ReadRequest(reader)
		if err != nil {
			t.Fatalf("%q: %v", buf, err)
		}
		if left, _ := io.ReadAll(reader); len(buf)-len(left) != size {
			t.Errorf("%q: %d bytes, net/http reads %d", buf, size, len(buf)-len(left))
		}
		signal, path := known.paths[q.URL.Path]
		if !path || signal != m.signal || q.Method != http.MethodPost || q.ProtoMinor != 1 || q.URL.RawQuery != "" || q.Host == "" {
			t.Errorf("%q: %s %s HTTP/1.%d, host %q", buf, q.Method, q.URL, q.ProtoMinor, q.Host)
		}
		if q.ContentLength != m.length || q.Close || len(q.TransferEncoding) > 0 || q.Header["Expect"] != nil || q.Header["Upgrade"] != nil {
			t.Errorf("%q: length %d, %+v", buf, q.ContentLength, q)
		}
		if mediaType(q.Header.Get("Content-Type")) != m.kind || q.Header.Get("Content-Encoding") != m.encoding || q.Header.Get(endHeader) != m.ended {
			t.Errorf("%q: %+v, net/http has %v", buf, m, q.Header)
		}
	})
}
