package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const goodRest = `
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters:
        - otlphttp
`

const goodConfig = `receivers:
  otlp:
    protocols:
      http:
        endpoint: localhost:14318
exporters:
  otlphttp:
    endpoint: http://127.0.0.1:9
` + goodRest

// bad are configurations with one mistake each: an edit of goodConfig, or a whole one.
var bad = []struct {
	name, old, new     string
	line               int
	key, cause, remedy string
}{
	{"unknown section", "receivers:\n", "recievers:\n", 1, "recievers", "unknown key", "did you mean receivers?"},
	{"unknown component", "  otlphttp:\n", "  otlphtpt:\n", 7, "exporters::otlphtpt", `no component "otlphtpt"`, "did you mean otlphttp?"},
	{"component that is not built in", "  otlphttp:\n", "  kafka:\n", 7, "exporters::kafka", `no component "kafka"`, "collector/run.sh build --config"},
	{"wrong key", "    endpoint: http", "    endpiont: http", 8, "exporters::otlphttp::endpiont", "unknown key", "did you mean endpoint?"},
	{"wrong nested key", "        endpoint: localhost", "        endpont: localhost", 5, "receivers::otlp::protocols::http::endpont", "unknown key", "did you mean endpoint?"},
	{"wrong type", "    endpoint: http://127.0.0.1:9\n", "    endpoint: http://127.0.0.1:9\n    timeout: soon\n", 9, "exporters::otlphttp::timeout", "invalid duration", "like 500ms or 10s"},
	{"wrong kind of value", "    endpoint: http://127.0.0.1:9\n", "    endpoint: http://127.0.0.1:9\n    tls: yes please\n", 9, "exporters::otlphttp::tls", "expected", "keys"},
	{"value that the component refuses", "http://127.0.0.1:9", "127.0.0.1:9", 8, "exporters::otlphttp::endpoint", "endpoint", "endpoint"},
	{"reference to nothing", "        - otlphttp", "        - otlphtp", 15, "service::pipelines::traces::exporters", `"otlphtp" is not configured`, "did you mean otlphttp?"},
	{"wrong key of service", "  pipelines:\n", "  pipeline:\n", 11, "service::pipeline", "unknown key", "did you mean pipelines?"},
	{"invalid YAML", "    endpoint: http", "   endpoint: [http", 8, "", "yaml", "mend the YAML"},
	{"secret that cannot be read", "http://127.0.0.1:9", "${file:/nowhere/secret}", 8, "exporters::otlphttp::endpoint", "/nowhere/secret", "must be in the function or a layer"},
	{"own receiver", "http://127.0.0.1:9", "http://127.0.0.1:14318", 8, "exporters::otlphttp::endpoint", "own receiver otlp", "where telemetry goes"},
	{"unknown scheme", "http://127.0.0.1:9", "${vault:secret}", 8, "exporters::otlphttp::endpoint", "vault", "collector/run.sh build --config"},
}

func near(line, want int) bool { return line == want || line == want-1 || line == want+1 }

func TestProblemsNameFileLineKeyAndRemedy(t *testing.T) {
	for _, c := range bad {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(goodConfig, c.old, c.new, 1)
			if text == goodConfig {
				t.Fatal("the edit changes nothing")
			}
			file := filepath.Join(t.TempDir(), "my.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			for source, uri := range map[string]string{file: file, "yaml:": "yaml:" + text, "env:THE_CONFIG": "env:THE_CONFIG"} {
				cmd := exec.Command(binary, "validate", "--config", uri)
				cmd.Env = []string{"THE_CONFIG=" + text}
				out, _ := cmd.CombinedOutput()
				said := string(out)
				position := fmt.Sprintf(":%d: ", c.line)
				if c.name == "invalid YAML" { // the parser may see it a line later
					for line := c.line - 1; line <= c.line+1; line++ {
						if strings.Contains(said, fmt.Sprintf(":%d: ", line)) {
							position = fmt.Sprintf(":%d: ", line)
						}
					}
				}
				if cmd.ProcessState.ExitCode() != 2 || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, source) || !strings.Contains(said, position) ||
					!strings.Contains(said, c.key) || !strings.Contains(said, c.cause) || !strings.Contains(said, c.remedy) {
					t.Errorf("%s: exit %d: %s", uri[:4], cmd.ProcessState.ExitCode(), said)
				}
			}
			lambda := newLambda(t, true)
			e := start(t, lambda, file)
			lambda.next()
			lambda.invoke("one", time.Minute)
			e.send("span") // the function's POST gets 200, at the usual port
			lambda.done("one")
			lambda.next()
			lambda.shutdown("spindown")
			a, _ := e.end()
			var told int
			for line := range strings.Lines(e.out.String()) {
				var one struct {
					Level, Configuration, Key, Cause, Remedy string
					Line                                     int
				}
				if err := json.Unmarshal([]byte(line), &one); err == nil && one.Level == "ERROR" {
					told++
					if one.Configuration != file || !near(one.Line, c.line) || (one.Line != c.line && c.key != "") || one.Key != c.key || !strings.Contains(one.Cause, c.cause) || !strings.Contains(one.Remedy, c.remedy) {
						t.Errorf("log: %s", line)
					}
				}
			}
			if told != 1 || a.Dropped.Spans != 1 {
				t.Errorf("%d errors, account %+v: %s", told, a, e.out.String())
			}
		})
	}
}

func TestMissingConfigurationFile(t *testing.T) {
	cmd := exec.Command(binary, "validate", "--config", "/var/task/nowhere.yaml")
	cmd.Env = []string{}
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 2 || !strings.HasPrefix(string(out), "/var/task/nowhere.yaml: ") || !strings.Contains(string(out), "must be in the function or a layer") {
		t.Errorf("exit %d: %s", cmd.ProcessState.ExitCode(), out)
	}
}

func TestPortThatIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	text := strings.Replace(goodConfig, "localhost:14318", taken.Addr().String(), 1)
	file := filepath.Join(t.TempDir(), "my.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	lambda := newLambda(t, true)
	e := start(t, lambda, file)
	lambda.next()
	lambda.invoke("one", time.Minute)
	e.send("span")
	lambda.done("one")
	lambda.next()
	lambda.shutdown("spindown")
	_, lines := e.end()
	if said := e.out.String(); len(lines) == 0 || lines[0].Level != "ERROR" || lines[0].Key != "receivers::otlp::protocols::http::endpoint" ||
		!strings.Contains(fmt.Sprint(lines[0].Cause), "address already in use") || !strings.Contains(lines[0].Remedy, "name a free port") || !strings.Contains(said, `"line":5`) {
		t.Errorf("%s", said)
	}
}

// start runs the extension with a configuration file; what cannot be used falls back to the usual port.
func start(t *testing.T, lambda *fakeLambda, file string, env ...string) *extension {
	t.Helper()
	e := &extension{Cmd: exec.Command(binary), t: t, url: "http://127.0.0.1:4318/v1/traces", gone: make(chan struct{})}
	e.Env = append([]string{"OPENTELEMETRY_COLLECTOR_CONFIG_URI=" + file, "AWS_LAMBDA_RUNTIME_API=" + lambda.Listener.Addr().String()}, env...)
	prepare(t, e)
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = e.Wait(); close(e.gone) }()
	t.Cleanup(func() { _ = e.Process.Kill(); <-e.gone; http.DefaultClient.CloseIdleConnections() })
	return e
}

func TestASignedURLIsNotInTheLog(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close() // nobody listens there
	lambda := newLambda(t, true)
	e := start(t, lambda, "http://"+closed.Addr().String()+"/config.yaml?X-Amz-Signature=5ec4e75ec4e7")
	lambda.next()
	lambda.shutdown("spindown")
	e.end()
	if said := e.out.String(); strings.Contains(said, "5ec4e7") || !strings.Contains(said, "/config.yaml?") {
		t.Errorf("%s", said)
	}
}
