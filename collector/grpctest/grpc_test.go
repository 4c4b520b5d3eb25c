// Package grpctest proves with the real gRPC library what the collector does without it. It is a module of its own, so that the
// layer's go.mod stays free of gRPC.
package grpctest

import (
	"context"
	"net"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"

	"github.com/open-telemetry/opentelemetry-lambda/collector/receiver/otlpreceiver"
)

// free returns an address that nobody listens at now.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// dial starts the receiver and connects a client to it.
func dial(t *testing.T, options ...grpc.DialOption) (*grpc.ClientConn, *consumertest.TracesSink, *consumertest.MetricsSink, *consumertest.LogsSink) {
	t.Helper()
	endpoint, factory := free(t), otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	cfg.Protocols.HTTP, cfg.Protocols.GRPC.Endpoint = nil, endpoint
	set := receiver.Settings{ID: component.MustNewID("otlp"), TelemetrySettings: component.TelemetrySettings{Logger: zap.NewNop()}}
	spans, points, records := new(consumertest.TracesSink), new(consumertest.MetricsSink), new(consumertest.LogsSink)
	made, err := factory.CreateTraces(t.Context(), set, cfg, spans)
	if err == nil {
		_, err = factory.CreateMetrics(t.Context(), set, cfg, points)
	}
	if err == nil {
		_, err = factory.CreateLogs(t.Context(), set, cfg, records)
	}
	if err == nil {
		err = made.Start(t.Context(), componenttest.NewNopHost())
	}
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(endpoint, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = made.Shutdown(context.Background())
	})
	return conn, spans, points, records
}

func someSpans(n int, name string) ptraceotlp.ExportRequest {
	d := ptrace.NewTraces()
	spans := d.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for range n {
		spans.AppendEmpty().SetName(name)
	}
	return ptraceotlp.NewExportRequestFromTraces(d)
}

func TestClientSendsEverySignal(t *testing.T) {
	for name, options := range map[string][]grpc.DialOption{
		"plain": nil,
		"gzip":  {grpc.WithDefaultCallOptions(grpc.UseCompressor("gzip"))},
	} {
		t.Run(name, func(t *testing.T) {
			conn, spans, points, records := dial(t, options...)
			metrics, logs := pmetric.NewMetrics(), plog.NewLogs()
			metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
			logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("line")
			for range 20 { // many calls on one connection
				reply, err := ptraceotlp.NewGRPCClient(conn).Export(t.Context(), someSpans(7, "span"))
				if err != nil || reply.PartialSuccess().RejectedSpans() != 0 {
					t.Fatalf("%v %+v", err, reply)
				}
				if _, err := pmetricotlp.NewGRPCClient(conn).Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(metrics)); err != nil {
					t.Fatal(err)
				}
				if _, err := plogotlp.NewGRPCClient(conn).Export(t.Context(), plogotlp.NewExportRequestFromLogs(logs)); err != nil {
					t.Fatal(err)
				}
			}
			if spans.SpanCount() != 140 || points.DataPointCount() != 20 || records.LogRecordCount() != 20 {
				t.Errorf("%d spans, %d points, %d records", spans.SpanCount(), points.DataPointCount(), records.LogRecordCount())
			}
		})
	}
}

func TestClientSeesLargeAndTooLargeMessages(t *testing.T) {
	conn, spans, _, _ := dial(t)
	client := ptraceotlp.NewGRPCClient(conn)
	if _, err := client.Export(t.Context(), someSpans(1, strings.Repeat("x", 19<<20))); err != nil {
		t.Errorf("19 MiB: %v", err)
	}
	if _, err := client.Export(t.Context(), someSpans(1, strings.Repeat("x", 21<<20))); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("21 MiB: %v", err)
	}
	bomb := someSpans(1, strings.Repeat("x", 200<<20))
	if _, err := client.Export(t.Context(), bomb, grpc.UseCompressor("gzip")); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("200 MiB compressed: %v", err)
	}
	if _, err := client.Export(t.Context(), someSpans(1, "after all that")); err != nil || spans.SpanCount() != 2 {
		t.Errorf("%v, %d spans", err, spans.SpanCount())
	}
}

func TestClientSeesUnknownMethods(t *testing.T) {
	conn, _, _, _ := dial(t)
	var nothing ptraceotlp.ExportResponse
	err := conn.Invoke(t.Context(), "/opentelemetry.proto.collector.trace.v1.TraceService/Import", someSpans(1, "x"), &nothing, grpc.ForceCodec(raw{}))
	if status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), "unknown method") {
		t.Errorf("%v", err)
	}
}

func TestConnectionMayRest(t *testing.T) {
	conn, spans, _, _ := dial(t, grpc.WithIdleTimeout(1)) // so short that every call is on a fresh connection
	for range 5 {
		if _, err := ptraceotlp.NewGRPCClient(conn).Export(t.Context(), someSpans(1, "x")); err != nil {
			t.Fatal(err)
		}
	}
	if spans.SpanCount() != 5 {
		t.Errorf("%d spans", spans.SpanCount())
	}
}

// raw sends an empty message, whatever it is.
type raw struct{}

func (raw) Marshal(any) ([]byte, error) { return nil, nil }

func (raw) Unmarshal([]byte, any) error { return nil }

func (raw) Name() string { return "proto" }
