// Command loadgen measures a collector: spans per second of its CPU time, from OTLP in to OTLP out, and its memory.
//
//	go run ./loadgen [OPTIONS] -- COMMAND [ARGUMENT]...
//
// The command is any collector, ours or a stock build. An argument {config} is replaced by the path of a configuration that has an otlp
// receiver and an otlphttp (with -grpc, otlp) exporter, or of the file that -config names; in it ${env:LOADGEN_ENDPOINT} is host:port for
// the receiver and ${env:LOADGEN_BACKEND} is the URL of the backend, which is part of this program. Examples, run in collector/:
//
//	go run ./loadgen -spans 100 -seconds 5 -- /tmp/collector --config {config}
//	go run ./loadgen -spans 10 -compression gzip -config stock.yaml -- ./otelcol --config {config}
//	go run ./loadgen -rate 200000 -backend-rate 20000 -- /tmp/collector --config {config}
//
// It prints one line of JSON, see result. It is for measuring and is no part of the layer; `./run.sh bench --only collector` runs it.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

type options struct {
	spans, clients    int
	seconds           float64
	rate, backendRate int
	compression       string
	config            string
	grpc              bool
}

func main() {
	var o options
	flag.IntVar(&o.spans, "spans", 100, "spans in a request")
	flag.IntVar(&o.clients, "clients", 4, "requests that are open at once")
	flag.Float64Var(&o.seconds, "seconds", 5, "how long to send")
	flag.IntVar(&o.rate, "rate", 0, "spans per second to send, 0 for as many as are taken")
	flag.IntVar(&o.backendRate, "backend-rate", 0, "spans per second that the backend takes, 0 for all")
	flag.StringVar(&o.compression, "compression", "none", "of the exporter in the built-in configuration: none or gzip")
	flag.StringVar(&o.config, "config", "", "configuration file instead of the built-in one")
	flag.BoolVar(&o.grpc, "grpc", false, "OTLP over gRPC in and, in the built-in configuration, out")
	flag.Parse()
	result, err := run(o, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(result)
}

type result struct {
	Sent         int     `json:"sent"`                 // spans that the collector took
	Refused      int     `json:"refused"`              // spans of requests that it did not answer with success
	Delivered    int     `json:"delivered"`            // spans at the backend when all was there or nothing came any more; with -backend-rate, when the time was over
	InTheEnd     int     `json:"delivered_in_the_end"` // and after the collector was told to end and the backend took everything
	CPUSeconds   float64 `json:"cpu_seconds"`          // of the collector alone, without its start and its end
	PerCPUSecond int     `json:"spans_per_cpu_second"` // of those delivered
	RSS          float64 `json:"rss_mb"`               // of the collector, 10^6 bytes
	Peak         float64 `json:"peak_mb"`
	RequestsIn   int     `json:"requests_in"`
	RequestsOut  int     `json:"requests_out"`
	BytesOut     int     `json:"bytes_out"`
	MedianMS     float64 `json:"median_request_ms"` // of the sender's requests
	TailMS       float64 `json:"p99_request_ms"`
	LastLine     string  `json:"last_line"` // of the collector's output: ours prints its account when it dropped something
}

func run(o options, command []string) (r result, err error) {
	if len(command) == 0 {
		return r, fmt.Errorf("no command; see the head of loadgen/main.go")
	}
	far := &backend{rate: o.backendRate, opened: make(chan struct{})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return r, err
	}
	go func() {
		_ = (&http.Server{Handler: far, Protocols: protocols(), ReadHeaderTimeout: time.Minute}).Serve(listener)
	}()
	endpoint, err := freePort()
	if err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp("", "loadgen")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	config := o.config
	if config == "" {
		config = filepath.Join(dir, "config.yaml")
		if err := os.WriteFile(config, []byte(builtIn(o)), 0o600); err != nil {
			return r, err
		}
	}
	for i := range command {
		command[i] = strings.ReplaceAll(command[i], "{config}", config)
	}
	var log bytes.Buffer
	child := exec.Command(command[0], command[1:]...)
	child.Env = append(os.Environ(), "LOADGEN_ENDPOINT="+endpoint, "LOADGEN_BACKEND=http://"+listener.Addr().String())
	child.Stdout, child.Stderr = &log, &log
	if err := child.Start(); err != nil {
		return r, err
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	stop := func() { _ = child.Process.Signal(syscall.SIGTERM); <-ended }
	if err := waitFor(endpoint, ended); err != nil {
		_ = child.Process.Kill()
		return r, fmt.Errorf("%w\n%s", err, log.String())
	}
	before, err := usage(child.Process.Pid)
	if err != nil {
		stop()
		return r, err
	}
	send(o, endpoint, &r)
	if o.backendRate == 0 {
		far.settle(r.Sent)
	}
	after, err := usage(child.Process.Pid)
	r.Delivered, r.RequestsOut, r.BytesOut = far.counts()
	far.open() // what is still held may go, into the collector's account
	stop()
	r.InTheEnd, _, _ = far.counts()
	r.CPUSeconds, r.RSS, r.Peak = after.cpu-before.cpu, after.rss, after.peak
	if r.CPUSeconds > 0 {
		r.PerCPUSecond = int(float64(r.Delivered) / r.CPUSeconds)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	r.LastLine = lines[len(lines)-1]
	return r, err
}

func builtIn(o options) string {
	in, out := "http", "otlphttp: {endpoint: \"${env:LOADGEN_BACKEND}\""
	if o.grpc {
		in, out = "grpc", "otlp: {endpoint: \"${env:LOADGEN_BACKEND}\", tls: {insecure: true}"
	}
	name, _, _ := strings.Cut(out, ":")
	return fmt.Sprintf(`receivers: {otlp: {protocols: {%s: {endpoint: "${env:LOADGEN_ENDPOINT}"}}}}
exporters: {%s, compression: %s}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [%s]}}}
`, in, out, o.compression, name)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func waitFor(endpoint string, ended chan error) error {
	for range 300 {
		if c, err := net.Dial("tcp", endpoint); err == nil {
			return c.Close()
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the collector ended: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("the collector does not listen at %s", endpoint)
}
