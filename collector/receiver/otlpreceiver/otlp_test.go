package otlpreceiver

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"

	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

type taken struct{ spans, points, records int }

// start runs a receiver at free ports and returns their addresses.
func start(t *testing.T, got *taken, signals string) (grpc, http string, h *trial.Host) {
	t.Helper()
	f := NewFactory()
	cfg := f.CreateDefaultConfig().(*Config)
	cfg.Protocols.GRPC.Endpoint, cfg.Protocols.HTTP.Endpoint = "localhost:0", "0.0.0.0:0"
	cfg.Protocols.GRPC.MaxRecvMsgSizeMiB, cfg.Protocols.HTTP.MaxRequestBodySize = 1, 10_000
	set := receiver.Settings{ID: component.MustNewID("otlp"), TelemetrySettings: trial.Telemetry()}
	var made component.Component
	for _, signal := range strings.Fields(signals) {
		var err error
		switch signal {
		case "traces":
			next, _ := consumer.NewTraces(func(_ context.Context, d ptrace.Traces) error { got.spans += d.SpanCount(); return nil })
			made, err = f.CreateTraces(t.Context(), set, cfg, next)
		case "metrics":
			next, _ := consumer.NewMetrics(func(_ context.Context, d pmetric.Metrics) error { got.points += d.DataPointCount(); return nil })
			made, err = f.CreateMetrics(t.Context(), set, cfg, next)
		case "logs":
			next, _ := consumer.NewLogs(func(_ context.Context, d plog.Logs) error { got.records += d.LogRecordCount(); return nil })
			made, err = f.CreateLogs(t.Context(), set, cfg, next)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	h = &trial.Host{}
	if err := made.Start(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Shutdown(context.Background()) })
	r := made.(*otlpReceiver)
	for _, a := range r.addresses {
		if !strings.HasPrefix(a, "127.0.0.1:") && !strings.HasPrefix(a, "[::1]:") {
			t.Errorf("it listens at %s", a)
		}
	}
	return r.bound["grpc"], r.bound["http"], h
}

func traces(n int) []byte {
	d := ptrace.NewTraces()
	spans := d.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		spans.AppendEmpty().SetName(fmt.Sprint("span", i))
	}
	body, _ := (&ptrace.ProtoMarshaler{}).MarshalTraces(d)
	return body
}

func metrics(n int) []byte {
	d := pmetric.NewMetrics()
	points := d.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints()
	for range n {
		points.AppendEmpty().SetIntValue(1)
	}
	body, _ := (&pmetric.ProtoMarshaler{}).MarshalMetrics(d)
	return body
}

func logs(n int) []byte {
	d := plog.NewLogs()
	records := d.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for range n {
		records.AppendEmpty().Body().SetStr("line")
	}
	body, _ := (&plog.ProtoMarshaler{}).MarshalLogs(d)
	return body
}

func gzipped(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body)
	_ = w.Close()
	return b.Bytes()
}

func deflated(body []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(body)
	_ = w.Close()
	return b.Bytes()
}

func zstandard(body []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(body, nil)
}

func TestHTTP(t *testing.T) {
	var got taken
	_, address, h := start(t, &got, "traces metrics logs")
	const proto, json = "application/x-protobuf", "application/json"
	for _, c := range []struct {
		name, method, path, kind, encoding string
		body                               []byte
		status                             int
		reply                              string
	}{
		{"traces", "POST", "/v1/traces", proto, "", traces(3), 200, ""},
		{"metrics", "POST", "/v1/metrics", proto, "", metrics(4), 200, ""},
		{"logs", "POST", "/v1/logs", proto, "", logs(5), 200, ""},
		{"parameters and gzip", "POST", "/v1/traces", proto + "; charset=utf-8", "gzip", gzipped(traces(10)), 200, ""},
		{"capitals and spaces", "POST", "/v1/traces/", "Application/X-Protobuf ;a=b", "GZIP", gzipped(traces(0)), 200, ""},
		{"gzip cut", "POST", "/v1/traces", proto, "gzip", gzipped(traces(10))[:30], 400, "not an OTLP message"},
		{"deflate", "POST", "/v1/traces", proto, "deflate", deflated(traces(20)), 200, ""},
		{"JSON", "POST", "/v1/traces", json, "", []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x","traceId":"0102030405060708090a0b0c0d0e0f10"}]}]}]}`), 200, "{}"},
		{"empty", "POST", "/v1/traces", proto, "", nil, 200, ""},
		{"not protobuf", "POST", "/v1/traces", proto, "", []byte("nonsense"), 400, "not an OTLP message"},
		{"not JSON", "POST", "/v1/logs", json, "", []byte("{"), 400, `"code":3`},
		{"not gzip", "POST", "/v1/traces", proto, "gzip", traces(1), 400, "not an OTLP message"},
		{"zstd", "POST", "/v1/traces", proto, "zstd", zstandard(traces(30)), 200, ""},
		{"zstd cut", "POST", "/v1/traces", proto, "zstd", zstandard(traces(30))[:20], 400, "not an OTLP message"},
		{"zstd bomb", "POST", "/v1/traces", proto, "zstd", zstandard(make([]byte, 5<<20)), 413, "too large"},
		{"unknown encoding", "POST", "/v1/traces", proto, "br", traces(1), 415, "zstd are known"},
		{"unknown type", "POST", "/v1/traces", "text/plain", "", traces(1), 415, "Content-Type"},
		{"get", "GET", "/v1/traces", proto, "", nil, 405, "POST"},
		{"unknown path", "POST", "/v1/profiles", proto, "", nil, 404, "/v1/traces"},
		{"too large", "POST", "/v1/traces", proto, "", make([]byte, 10_001), 413, "too large"},
		{"bomb", "POST", "/v1/traces", proto, "gzip", gzipped(make([]byte, 50<<20)), 413, "too large"},
	} {
		request, _ := http.NewRequest(c.method, "http://"+address+c.path, bytes.NewReader(c.body))
		request.Header.Set("Content-Type", c.kind)
		if c.encoding != "" {
			request.Header.Set("Content-Encoding", c.encoding)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		reply, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != c.status || !strings.Contains(string(reply), c.reply) || (c.reply == "" && len(reply) > 0) {
			t.Errorf("%s: %s %q", c.name, response.Status, reply)
		}
	}
	if got != (taken{spans: 64, points: 4, records: 5}) {
		t.Errorf("taken: %+v", got)
	}
	if dropped := h.Tally().Dropped.Counts(); dropped.Sum() != 0 {
		t.Errorf("dropped: %+v", dropped)
	}
}

func TestSignalWithoutAPipelineIsTakenAndCounted(t *testing.T) {
	var got taken
	_, address, h := start(t, &got, "traces")
	response, err := http.Post("http://"+address+"/v1/logs", "application/x-protobuf", bytes.NewReader(logs(5)))
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%v %v", response, err)
	}
	if received, dropped := h.Tally().Received.Counts(), h.Tally().Dropped.Counts(); received.Logs != 5 || dropped.Logs != 5 {
		t.Errorf("received %+v, dropped %+v", received, dropped)
	}
}

func frame(compressed byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{compressed}, uint32(len(body))), body...)
}

func TestGRPC(t *testing.T) {
	var got taken
	address, _, _ := start(t, &got, "traces metrics logs")
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	const service = "/opentelemetry.proto.collector."
	for _, c := range []struct {
		name, path, encoding string
		body                 []byte
		status, message      string
	}{
		{"traces", service + "trace.v1.TraceService/Export", "", frame(0, traces(3)), "0", ""},
		{"metrics", service + "metrics.v1.MetricsService/Export", "", frame(0, metrics(4)), "0", ""},
		{"logs", service + "logs.v1.LogsService/Export", "", frame(0, logs(5)), "0", ""},
		{"gzip", service + "trace.v1.TraceService/Export", "gzip", frame(1, gzipped(traces(10))), "0", ""},
		{"zstd", service + "trace.v1.TraceService/Export", "zstd", frame(1, zstandard(traces(40))), "0", ""},
		{"gzip announced, not used", service + "trace.v1.TraceService/Export", "gzip", frame(0, traces(20)), "0", ""},
		{"unknown method", service + "trace.v1.TraceService/Import", "", frame(0, nil), "12", "unknown method"},
		{"unknown compression", service + "trace.v1.TraceService/Export", "snappy", frame(1, traces(1)), "12", "snappy"},
		{"nonsense", service + "trace.v1.TraceService/Export", "", frame(0, []byte("nonsense")), "3", "not an OTLP message"},
		{"cut", service + "trace.v1.TraceService/Export", "", frame(0, traces(9))[:20], "3", "not an OTLP message"},
		{"no frame", service + "trace.v1.TraceService/Export", "", nil, "3", "not an OTLP message"},
		{"too large", service + "trace.v1.TraceService/Export", "", frame(0, make([]byte, 1<<20+1)), "8", "too large"},
		{"bomb", service + "trace.v1.TraceService/Export", "gzip", frame(1, gzipped(make([]byte, 5<<20))), "8", "too large"},
	} {
		request, _ := http.NewRequest(http.MethodPost, "http://"+address+c.path, bytes.NewReader(c.body))
		request.Header.Set("Content-Type", "application/grpc+proto")
		request.Header.Set("TE", "trailers")
		if c.encoding != "" {
			request.Header.Set("Grpc-Encoding", c.encoding)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		reply, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		where := response.Header
		if c.status == "0" {
			where = response.Trailer
			if !bytes.Equal(reply, make([]byte, 5)) {
				t.Errorf("%s: reply %q", c.name, reply)
			}
		}
		if response.StatusCode != 200 || where.Get("Grpc-Status") != c.status || !strings.Contains(where.Get("Grpc-Message"), c.message) {
			t.Errorf("%s: %s %v %v", c.name, response.Status, response.Header, response.Trailer)
		}
	}
	if got != (taken{spans: 73, points: 4, records: 5}) {
		t.Errorf("taken: %+v", got)
	}
	if response, err := http.Get("http://" + address + "/"); err != nil || response.StatusCode != 415 {
		t.Errorf("HTTP/1 at the gRPC port: %v %v", response, err)
	}
}

func TestConfig(t *testing.T) {
	all := trial.Documented[*Config](t, createDefaultConfig)["otlp/all"].Protocols
	if all.GRPC.MaxRecvMsgSizeMiB != 4 || all.HTTP.MaxRequestBodySize != 1000000 || all.HTTP.LogsURLPath != "/otlp/logs" {
		t.Errorf("%+v", all)
	}
	for text, want := range map[string]string{
		"{protocols: {http: }}":                          "",
		"{protocols: {grpc: {endpoint: 'localhost:1'}}}": "",
		"{}": "must list grpc, http or both",
		"{protocols: {http: {endpoint: nowhere}}}":        "must be host:port",
		"{protocols: {http: {max_request_body_size: 0}}}": "more than 0",
		"{protocols: {http: {cors: {}}}}":                 "invalid keys: cors",
		"{protocols: {grpc: {keepalive: {}}}}":            "collector/run.sh build",
		"{protocols: {grpc: {max_recv_msg_size_mib: 0}}}": "from 1 to 4095",
		"{protocols: {http: {logs_url_path: v1/traces}}}": "must differ",
	} {
		cfg, err := trial.Config[*Config](t, createDefaultConfig, text)
		if (want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
		if text == "{protocols: {http: }}" && (cfg.Protocols.GRPC != nil || cfg.Protocols.HTTP.Endpoint != "localhost:4318") {
			t.Errorf("%+v", cfg.Protocols)
		}
	}
}
