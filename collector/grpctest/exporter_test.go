package grpctest

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlpclient"
	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlpexporter"
	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

// server is a backend made with the gRPC library.
type server struct {
	ptraceotlp.UnimplementedGRPCServer
	mu       sync.Mutex
	spans    int
	points   int
	records  int
	requests int
	meta     metadata.MD
	deadline bool
	answer   func(request int) (rejected int64, err error)
}

func (s *server) Export(ctx context.Context, q ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.meta, _ = metadata.FromIncomingContext(ctx)
	_, s.deadline = ctx.Deadline()
	reply := ptraceotlp.NewExportResponse()
	if s.answer != nil {
		rejected, err := s.answer(s.requests)
		if err != nil {
			return reply, err
		}
		reply.PartialSuccess().SetRejectedSpans(rejected)
	}
	s.spans += q.Traces().SpanCount()
	return reply, nil
}

type metricsServer struct {
	pmetricotlp.UnimplementedGRPCServer
	*server
}

func (s *metricsServer) Export(_ context.Context, q pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.points += q.Metrics().DataPointCount()
	return pmetricotlp.NewExportResponse(), nil
}

type logsServer struct {
	plogotlp.UnimplementedGRPCServer
	*server
}

func (s *logsServer) Export(_ context.Context, q plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records += q.Logs().LogRecordCount()
	return plogotlp.NewExportResponse(), nil
}

func serve(t *testing.T, answer func(int) (int64, error), options ...grpc.ServerOption) (*server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, g := &server{answer: answer}, grpc.NewServer(options...)
	ptraceotlp.RegisterGRPCServer(g, s)
	pmetricotlp.RegisterGRPCServer(g, &metricsServer{server: s})
	plogotlp.RegisterGRPCServer(g, &logsServer{server: s})
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	return s, l.Addr().String()
}

func export(t *testing.T, change func(*otlpexporter.Config)) (*otlpclient.Exporter, *delivery.Tally) {
	t.Helper()
	f := otlpexporter.NewFactory()
	cfg := f.CreateDefaultConfig().(*otlpexporter.Config)
	change(cfg)
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	set := exporter.Settings{ID: component.MustNewID("otlp"), TelemetrySettings: trial.Telemetry()}
	made, err := f.CreateTraces(t.Context(), set, cfg)
	if err == nil {
		_, err = f.CreateMetrics(t.Context(), set, cfg)
	}
	if err == nil {
		_, err = f.CreateLogs(t.Context(), set, cfg)
	}
	host := &trial.Host{}
	if err == nil {
		err = made.Start(t.Context(), host)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Shutdown(context.Background()) })
	return made.(*otlpclient.Exporter), host.Tally()
}

func flush(e *otlpclient.Exporter) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	e.Flush(ctx)
}

func TestExporterSendsEverySignalToARealServer(t *testing.T) {
	for _, compression := range []string{"gzip", "none"} {
		s, address := serve(t, nil)
		e, tally := export(t, func(c *otlpexporter.Config) {
			c.Endpoint, c.TLS.Insecure, c.Compression, c.Headers = address, true, compression, map[string]string{"Api-Key": "secret"}
		})
		metrics, logs := pmetric.NewMetrics(), plog.NewLogs()
		metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
		logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("line")
		for range 20 {
			if e.ConsumeTraces(t.Context(), someSpans(7, "span").Traces()) != nil || e.ConsumeMetrics(t.Context(), metrics) != nil || e.ConsumeLogs(t.Context(), logs) != nil {
				t.Fatal("not taken")
			}
			e.Resume(true) // as after a freeze: connections are made anew
			flush(e)
		}
		if want := (delivery.Counts{Spans: 140, Metrics: 20, Logs: 20}); tally.Sent.Counts() != want || s.spans != 140 || s.points != 20 || s.records != 20 {
			t.Errorf("%s: sent %+v, arrived %d %d %d", compression, tally.Sent.Counts(), s.spans, s.points, s.records)
		}
		if s.meta.Get("api-key")[0] != "secret" || !s.deadline {
			t.Errorf("%v", s.meta)
		}
	}
}

func TestExporterUnderstandsARealServersAnswers(t *testing.T) {
	busy, err := status.New(codes.ResourceExhausted, "slow down").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rejected            int64
		err                 error
		sent, dropped, held int64
	}{
		"ok":                 {0, nil, 3, 0, 0},
		"partial success":    {2, nil, 1, 2, 0},
		"unavailable":        {0, status.Error(codes.Unavailable, "down"), 0, 0, 3},
		"exhausted, for now": {0, busy.Err(), 0, 0, 3},
		"exhausted":          {0, status.Error(codes.ResourceExhausted, "quota"), 0, 3, 0},
		"bad":                {0, status.Error(codes.InvalidArgument, "50% bad"), 0, 3, 0},
		"key":                {0, status.Error(codes.Unauthenticated, "no such key"), 0, 3, 0},
	} {
		s, address := serve(t, func(int) (int64, error) { return c.rejected, c.err })
		e, tally := export(t, func(cfg *otlpexporter.Config) { cfg.Endpoint = "http://" + address })
		if err := e.ConsumeTraces(t.Context(), someSpans(3, "span").Traces()); err != nil {
			t.Fatal(err)
		}
		flush(e)
		if tally.Sent.Counts().Spans != c.sent || tally.Dropped.Counts().Spans != c.dropped || e.Held().Spans != c.held || s.requests != 1 {
			t.Errorf("%s: sent %+v, dropped %+v, held %+v in %d requests", name, tally.Sent.Counts(), tally.Dropped.Counts(), e.Held(), s.requests)
		}
		if name == "exhausted, for now" {
			e.Resume(false)
			flush(e)
			if s.requests != 1 {
				t.Error("it did not wait as it was told")
			}
		}
	}
}

func TestExporterShowsItsCertificate(t *testing.T) {
	me := trial.NewIdentity(t)
	s, address := serve(t, nil, grpc.Creds(credentials.NewTLS(me.Server(t, tls.RequireAndVerifyClientCert))))
	for _, shows := range []bool{true, false} {
		e, tally := export(t, func(c *otlpexporter.Config) {
			c.Endpoint, c.TLS.CAPem, c.TLS.MinVersion = address, me.Certificate, "1.3"
			if shows {
				c.TLS.CertPem, c.TLS.KeyPem = me.Certificate, me.Key
			}
		})
		if err := e.ConsumeTraces(t.Context(), someSpans(3, "span").Traces()); err != nil {
			t.Fatal(err)
		}
		flush(e)
		if sent := tally.Sent.Counts().Spans; (sent == 3) != shows {
			t.Errorf("certificate shown %v: sent %d", shows, sent)
		}
	}
	if s.spans != 3 {
		t.Errorf("%d spans arrived", s.spans)
	}
}
