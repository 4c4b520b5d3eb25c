package otlpreceiver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/receiver"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

// forward is a pipeline that only forwards; it also says how often it got decoded data.
type forward struct {
	bodies  [][]byte
	records int
	decoded int
	fails   error
}

func (*forward) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (f *forward) ConsumeRaw(_ context.Context, _ pipeline.Signal, body []byte, records int) error {
	f.bodies = append(f.bodies, body)
	f.records += records
	return f.fails
}

func (f *forward) ConsumeTraces(context.Context, ptrace.Traces) error { f.decoded++; return f.fails }

func (f *forward) ConsumeMetrics(context.Context, pmetric.Metrics) error { f.decoded++; return f.fails }

func (f *forward) ConsumeLogs(context.Context, plog.Logs) error { f.decoded++; return f.fails }

// startForward runs a receiver with the default limits at free ports.
func startForward(t testing.TB, f *forward, change func(*Config)) (*otlpReceiver, *trial.Host) {
	t.Helper()
	factory := NewFactory()
	cfg := factory.CreateDefaultConfig().(*Config)
	cfg.Protocols.GRPC.Endpoint, cfg.Protocols.HTTP.Endpoint = "localhost:0", "localhost:0"
	if change != nil {
		change(cfg)
	}
	set := receiver.Settings{ID: component.MustNewID("otlp"), TelemetrySettings: trial.Telemetry()}
	made, err := factory.CreateTraces(t.Context(), set, cfg, f)
	if err == nil {
		_, err = factory.CreateMetrics(t.Context(), set, cfg, f)
	}
	if err == nil {
		_, err = factory.CreateLogs(t.Context(), set, cfg, f)
	}
	h := &trial.Host{}
	if err == nil {
		err = made.Start(t.Context(), h)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Shutdown(context.Background()) })
	return made.(*otlpReceiver), h
}

func post(t *testing.T, url, kind, encoding string, body io.Reader) (status int, reply string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Content-Encoding", encoding)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

const protobuf = "application/x-protobuf"

func TestForwardingPipelineGetsTheBytesThatCame(t *testing.T) {
	f := &forward{}
	r, h := startForward(t, f, nil)
	url := "http://" + r.bound["http"]
	var want [][]byte
	for path, body := range map[string][]byte{"/v1/traces": traces(3), "/v1/metrics": metrics(4), "/v1/logs": logs(5)} {
		for encoding, sent := range map[string]io.Reader{
			"": bytes.NewReader(body), "identity": io.MultiReader(bytes.NewReader(body)), "gzip": bytes.NewReader(gzipped(body)), "deflate": bytes.NewReader(deflated(body)),
		} {
			if status, reply := post(t, url+path, protobuf, encoding, sent); status != 200 || reply != "" {
				t.Errorf("%s %q: %d %q", path, encoding, status, reply)
			}
			want = append(want, body)
		}
	}
	if f.records != 4*(3+4+5) || f.decoded != 0 || len(f.bodies) != len(want) {
		t.Fatalf("%d records in %d bodies, %d decoded", f.records, len(f.bodies), f.decoded)
	}
	for i := range want { // compared at the end: a body must not share memory with a later one
		if !bytes.Equal(f.bodies[i], want[i]) {
			t.Errorf("body %d: %x, sent %x", i, f.bodies[i], want[i])
		}
	}
	for _, bad := range [][]byte{[]byte("nonsense"), traces(3)[:40]} {
		if status, _ := post(t, url+"/v1/traces", protobuf, "", bytes.NewReader(bad)); status != 400 {
			t.Errorf("%x: %d", bad, status)
		}
	}
	if status, _ := post(t, url+"/v1/traces", "application/json", "", strings.NewReader(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"}]}]}]}`)); status != 200 || f.decoded != 1 {
		t.Errorf("JSON: %d, %d decoded", status, f.decoded)
	}
	group := append([]byte{9<<3 | 3, 9<<3 | 4}, traces(1)...) // legal, and only the decoder knows
	if status, _ := post(t, url+"/v1/traces", protobuf, "", bytes.NewReader(group)); status != 200 || f.decoded != 2 {
		t.Errorf("group: %d, %d decoded", status, f.decoded)
	}
	if len(f.bodies) != len(want) || h.Tally().Dropped.Counts().Sum() != 0 {
		t.Errorf("%d bodies, dropped %+v", len(f.bodies), h.Tally().Dropped.Counts())
	}
}

func TestLargeBodies(t *testing.T) {
	f := &forward{}
	r, _ := startForward(t, f, nil)
	url := "http://" + r.bound["http"] + "/v1/logs"
	of := func(size int) []byte {
		d := plog.NewLogs()
		d.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(strings.Repeat("x", size))
		body, _ := (&plog.ProtoMarshaler{}).MarshalLogs(d)
		return body
	}
	small, large := of(20_000_000), of(21<<20)
	for _, c := range []struct {
		name, encoding string
		body           io.Reader
		status         int
	}{
		{"20 MB", "", bytes.NewReader(small), 200},
		{"20 MB of unknown length", "", io.MultiReader(bytes.NewReader(small)), 200},
		{"20 MB compressed", "gzip", bytes.NewReader(gzipped(small)), 200},
		{"21 MiB", "", bytes.NewReader(large), 413},
		{"21 MiB of unknown length", "", io.MultiReader(bytes.NewReader(large)), 413},
		{"21 MiB compressed", "gzip", bytes.NewReader(gzipped(large)), 413},
		{"64 MiB of nothing", "gzip", bytes.NewReader(gzipped(make([]byte, 64<<20))), 413},
		{"and it goes on", "", bytes.NewReader(of(1)), 200},
	} {
		if status, reply := post(t, url, protobuf, c.encoding, c.body); status != c.status {
			t.Errorf("%s: %d %q", c.name, status, reply)
		}
	}
	if f.records != 4 {
		t.Errorf("%d records", f.records)
	}
}

// Without a limit the decoder's stack grows to a gigabyte, which ends the process.
func TestDeepNestingIsRefusedByEveryKindOfPipeline(t *testing.T) {
	inner := []byte{}
	for len(inner) < 200_000 { // 1 = values of an array, 5 = an array as value
		n := len(inner)
		value := append([]byte{5<<3 | 2}, append(varint(n), inner...)...)
		inner = append([]byte{1<<3 | 2}, append(varint(len(value)), value...)...)
	}
	wrap := func(number byte, b []byte) []byte {
		return append([]byte{number<<3 | 2}, append(varint(len(b)), b...)...)
	}
	body := wrap(1, wrap(1, wrap(1, wrap(2, wrap(5, inner))))) // resource, attribute, value
	r, _ := startForward(t, &forward{}, nil)
	var got taken
	_, decoding, _ := start(t, &got, "traces")
	for kind, address := range map[string]string{"forwarding": r.bound["http"], "decoding": decoding} {
		if status, _ := post(t, "http://"+address+"/v1/traces", protobuf, "", bytes.NewReader(body)); status != 400 && status != 413 {
			t.Errorf("%s: %d", kind, status)
		}
	}
	if _, err := r.accept(t.Context(), pipeline.SignalTraces, body, false); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("%v", err)
	}
}

func varint(n int) (out []byte) {
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}

func TestPipelineThatFailsMakesAPartialSuccess(t *testing.T) {
	f := &forward{fails: errors.New("full")}
	r, h := startForward(t, f, func(c *Config) { c.Protocols.HTTP.TracesURLPath = "my/traces" })
	url := "http://" + r.bound["http"]
	status, reply := post(t, url+"/my/traces", protobuf, "", bytes.NewReader(traces(300)))
	if want := "\x0a\x41\x08\xac\x02\x12\x3c" + notTaken; status != 200 || reply != want {
		t.Errorf("%d %q, want %q", status, reply, want)
	}
	if status, reply := post(t, url+"/v1/logs", "application/json", "", strings.NewReader(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}`)); status != 200 ||
		reply != `{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"`+notTaken+`"}}` {
		t.Errorf("%d %q", status, reply)
	}
	if status, reply := post(t, url+"/v1/traces", protobuf, "", nil); status != 404 || !strings.Contains(reply, "/my/traces") {
		t.Errorf("%d %q", status, reply)
	}
	if dropped := h.Tally().Dropped.Counts(); dropped != (delivery.Counts{Spans: 300, Logs: 1}) {
		t.Errorf("dropped %+v", dropped)
	}
}

// The handlers answer whatever comes, and what they take is what the decoder takes.
func FuzzHandlers(f *testing.F) {
	for i, encoding := range []string{"", "gzip", "deflate", "snappy"} {
		for j, kind := range []string{protobuf, "application/json", "application/grpc"} {
			body := [][]byte{traces(2), gzipped(traces(2)), deflated(traces(2)), []byte("x")}[i]
			if j == 1 {
				body = []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"}]}]}]}`)
			}
			if j == 2 {
				body = frame(byte(min(i, 1)), body)
			}
			f.Add("/v1/traces", kind, encoding, body)
		}
	}
	f.Add("/opentelemetry.proto.collector.logs.v1.LogsService/Export", "application/grpc+proto", "", frame(0, logs(2)))
	taker := &forward{}
	r, _ := startForward(f, taker, nil)
	web, rpc := r.httpHandler(r.cfg.Protocols.HTTP), r.grpcHandler(r.cfg.Protocols.GRPC)
	f.Fuzz(func(t *testing.T, path, kind, encoding string, body []byte) {
		*taker = forward{}
		for name, handler := range map[string]http.Handler{"Content-Encoding": web, "Grpc-Encoding": rpc} {
			request, err := http.NewRequest(http.MethodPost, "http://localhost/", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			request.URL.Path, request.ProtoMajor = path, 2
			request.Header = http.Header{"Content-Type": {kind}, name: {encoding}}
			answer := &answer{header: http.Header{}}
			handler.ServeHTTP(answer, request)
			if answer.status == 0 && len(answer.header) == 0 {
				t.Errorf("%s %q: no answer", path, kind)
			}
		}
		for _, taken := range taker.bodies {
			_, errT := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(taken)
			_, errM := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(taken)
			_, errL := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(taken)
			if errT != nil && errM != nil && errL != nil {
				t.Errorf("taken, but not decodable: %x", taken)
			}
		}
	})
}

type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return len(b), nil
}
