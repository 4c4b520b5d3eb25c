// Command loadgen measures a collector: spans per second of its CPU time, from OTLP/HTTP in to OTLP/HTTP out, and its memory.
//
//	go run ./loadgen [OPTIONS] -- COMMAND [ARGUMENT]...
//
// The command is any collector, ours or a stock build. An argument {config} is replaced by the path of a configuration that has an otlp
// receiver and an otlphttp exporter, or of the file that -config names; in it ${env:LOADGEN_ENDPOINT} is host:port for the receiver
// and ${env:LOADGEN_BACKEND} is the URL of the backend, which is part of this program. Examples, run in collector/:
//
//	go run ./loadgen -spans 100 -seconds 5 -- /tmp/collector --config {config}
//	go run ./loadgen -spans 10 -compression gzip -config stock.yaml -- ./otelcol --config {config}
//	go run ./loadgen -rate 200000 -backend-rate 20000 -- /tmp/collector --config {config}
//
// It prints one line of JSON: spans sent and delivered, cpu_seconds of the collector alone (start excluded, delivery of all that it
// holds included), spans_per_cpu_second (delivered), rss_mb and peak_mb of the collector, requests in and out, bytes out, and the
// median time of the sender's requests. It is for measuring and is no part of the layer.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

type options struct {
	spans, clients    int
	seconds           float64
	rate, backendRate int
	compression       string
	config            string
}

func main() {
	var o options
	flag.IntVar(&o.spans, "spans", 100, "spans in a request")
	flag.IntVar(&o.clients, "clients", 4, "requests that are open at once")
	flag.Float64Var(&o.seconds, "seconds", 5, "how long to send")
	flag.IntVar(&o.rate, "rate", 0, "spans per second to send, 0 for as many as are taken")
	flag.IntVar(&o.backendRate, "backend-rate", 0, "spans per second that the backend takes, 0 for all")
	flag.StringVar(&o.compression, "compression", "none", "of the exporter: none or gzip")
	flag.StringVar(&o.config, "config", "", "configuration file instead of the built-in one")
	flag.Parse()
	result, err := run(o, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(result)
}

type result struct {
	Sent         int     `json:"sent"`
	Delivered    int     `json:"delivered"`
	CPUSeconds   float64 `json:"cpu_seconds"`
	PerCPUSecond int     `json:"spans_per_cpu_second"`
	RSS          float64 `json:"rss_mb"`
	Peak         float64 `json:"peak_mb"`
	RequestsIn   int     `json:"requests_in"`
	RequestsOut  int     `json:"requests_out"`
	BytesOut     int     `json:"bytes_out"`
	MedianMS     float64 `json:"median_request_ms"`
	Account      string  `json:"account,omitempty"` // the collector's last line
}

func run(o options, command []string) (r result, err error) {
	if len(command) == 0 {
		return r, fmt.Errorf("no command; see the head of loadgen/main.go")
	}
	far := &backend{rate: o.backendRate}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return r, err
	}
	go func() { _ = http.Serve(listener, far) }()
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
		if err := os.WriteFile(config, []byte(fmt.Sprintf(plainConfig, o.compression)), 0o600); err != nil {
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
	send(o, "http://"+endpoint+"/v1/traces", &r)
	far.settle(r.Sent)
	after, err := usage(child.Process.Pid)
	r.Delivered, r.RequestsOut, r.BytesOut = far.counts()
	far.open() // what is still held may go, into the collector's account
	stop()
	r.CPUSeconds, r.RSS, r.Peak = after.cpu-before.cpu, after.rss, after.peak
	r.PerCPUSecond = int(float64(r.Delivered) / r.CPUSeconds)
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	r.Account = lines[len(lines)-1]
	return r, err
}

const plainConfig = `receivers:
  otlp:
    protocols:
      http:
        endpoint: ${env:LOADGEN_ENDPOINT}
exporters:
  otlphttp:
    endpoint: ${env:LOADGEN_BACKEND}
    compression: %s
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlphttp]
`

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
			return fmt.Errorf("the collector ended: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("the collector does not listen at %s", endpoint)
}

// send posts requests for the time that the options say.
func send(o options, url string, r *result) {
	body := request(o.spans)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: o.clients}}
	began := time.Now()
	var mu sync.Mutex
	var took []time.Duration
	var group sync.WaitGroup
	for range o.clients {
		group.Go(func() {
			for time.Since(began).Seconds() < o.seconds {
				mu.Lock()
				ahead := o.rate > 0 && float64(r.Sent) > float64(o.rate)*time.Since(began).Seconds()
				mu.Unlock()
				if ahead {
					time.Sleep(time.Millisecond)
					continue
				}
				start := time.Now()
				response, err := client.Post(url, "application/x-protobuf", bytes.NewReader(body))
				if err != nil {
					fmt.Fprintln(os.Stderr, "loadgen:", err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				mu.Lock()
				r.RequestsIn++
				if response.StatusCode == http.StatusOK {
					r.Sent += o.spans
				}
				took = append(took, time.Since(start))
				mu.Unlock()
			}
		})
	}
	group.Wait()
	slices.Sort(took)
	if len(took) > 0 {
		r.MedianMS = took[len(took)/2].Seconds() * 1000
	}
}
