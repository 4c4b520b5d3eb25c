package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestPlainCollectorOutsideLambda(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL), "AWS_LAMBDA_RUNTIME_API=")
	for deadline := time.Now().Add(10 * time.Second); ; {
		if response, err := http.Post(e.url, "application/x-protobuf", bytes.NewReader(spans("one"))); err == nil {
			_ = response.Body.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	_ = e.Process.Signal(os.Interrupt)
	if a, lines := e.end(); a.Sent.Spans != 1 || !strings.Contains(lines[0].Msg, "not in Lambda") {
		t.Errorf("%s", e.out.String())
	}
	if len(lambda.calls) > 0 {
		t.Errorf("calls: %v", lambda.calls)
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		out  string
	}{
		{[]string{"-v"}, 0, "collector 1.2.3"},
		{[]string{"--help"}, 0, "OTEL_EXPORTER_OTLP_"},
		{[]string{"components"}, 0, "exporters: debug, otlp, otlphttp"},
		{[]string{"components", "--json"}, 0, `{"type":"otlphttp"}`},
		{[]string{"validate", "--json"}, 2, `unknown argument "--json"`},
		{[]string{"validate", "--config", "yaml:{exporters: {x: {}}}"}, 2, `no component "x"`},
		{[]string{"validate", "--config=/nowhere.yaml"}, 2, "/nowhere.yaml"},
		{[]string{"validate", "--config", "yaml:" + `{receivers: {otlp: {protocols: {grpc: }}}, exporters: {otlphttp: {endpoint: "${env:WHERE:-http://a:1}"}}, service: {pipelines: {logs: {receivers: [otlp], exporters: [otlphttp]}}}}`}, 0, "good"},
		{[]string{"validate", "--config", "yaml:{receivers: {otlp: {protocols: {http: {endpoint: 'localhost:14318'}}}}, exporters: {otlphttp: {endpoint: 'http://127.0.0.1:14318'}}, service: {pipelines: {logs: {receivers: [otlp], exporters: [otlphttp]}}}}"}, 2, "own receiver"},
		{[]string{"validate", "--config", "yaml:{receivers: {otlp: {protocols: {grpc: }}}, exporters: {otlp_grpc: {endpoint: 'localhost:4317', tls: {insecure: true}}}, service: {pipelines: {logs: {receivers: [otlp], exporters: [otlp_grpc]}}}}"}, 2, "own receiver"},
		{[]string{"validate", "--config", "yaml:{receivers: {otlp: {protocols: {grpc: }}}, exporters: {otlp: {endpoint: 'localhost:4318', tls: {insecure: true}}}, service: {pipelines: {logs: {receivers: [otlp], exporters: [otlp]}}}}"}, 0, "good"},
		{[]string{"bogus"}, 2, `unknown argument "bogus"`},
	} {
		cmd := exec.Command(binary, c.args...)
		cmd.Env = []string{}
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.out) {
			t.Errorf("%q: exit %d\n%s", c.args, cmd.ProcessState.ExitCode(), out)
		}
	}
}

func TestLinksNeitherGRPCNorAnAWSSDK(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "go.opentelemetry.io/collector/pdata/ptrace") {
		t.Fatal("the list of packages is not complete")
	}
	for _, pkg := range strings.Fields(string(out)) {
		for _, heavy := range []string{"google.golang.org/grpc", "github.com/aws/", "google.golang.org/protobuf", "exporterhelper", "confighttp", "text/template"} {
			if strings.Contains(pkg, heavy) {
				t.Errorf("%s is linked", pkg)
			}
		}
	}
}
