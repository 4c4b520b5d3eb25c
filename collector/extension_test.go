package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDeliversEveryInvocationBeforeTheFreeze(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	for i := range 5 {
		id := fmt.Sprint("request-", i)
		lambda.invoke(id, time.Minute)
		e.send(id+"a", id+"b")
		select {
		case <-lambda.asked:
			t.Fatal("the extension lets the environment freeze while the function runs")
		case <-time.After(20 * time.Millisecond):
		}
		e.send(id + "c")
		lambda.done(id)
		lambda.next()
		b.has(t, 3*(i+1))
	}
	lambda.shutdown("spindown")
	a, lines := e.end()
	if a.Received.Spans != 15 || a.Sent.Spans != 15 || a.Dropped.Spans != 0 || a.Level != "INFO" || a.Reason != "spindown" {
		t.Errorf("account: %+v", a)
	}
	if len(lines) != 1 || e.started.Version != "1.2.3" || e.started.Flush != "auto" {
		t.Errorf("more lines than the account: %s", e.out.String())
	}
	if register, subscribe, next := slices.Index(lambda.calls, "POST /2020-01-01/extension/register"), slices.Index(lambda.calls, "PUT /2022-07-01/telemetry"),
		slices.Index(lambda.calls, "GET /2020-01-01/extension/event/next"); register != 0 || subscribe != 1 || next != 2 {
		t.Errorf("calls: %v", lambda.calls)
	}
}

func TestTheLastRequestOfAnInvocationEndsIt(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL), "OTEL_LAMBDA_FLUSH=end")
	lambda.next()
	for i := range 40 {
		id := fmt.Sprint("request-", i)
		lambda.invoke(id, time.Minute)
		e.send(id + "a")
		e.sendLast(id, id+"b") // Lambda has not said that the function is done
		lambda.next()
		b.has(t, 2*(i+1))
		lambda.done(id) // late, when the invocation is over
	}
	lambda.shutdown("spindown")
	if a, _ := e.end(); a.Received.Spans != 80 || a.Sent.Spans != 80 {
		t.Errorf("account: %+v", a)
	}
}

func TestWithoutTelemetryAPINothingHangsAndNothingIsLost(t *testing.T) {
	lambda, b := newLambda(t, false), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	lambda.unheard(e, 5)
	lambda.shutdown("spindown")
	if a, _ := e.end(); a.Sent.Spans != 5 {
		t.Errorf("account: %+v", a)
	}
	b.has(t, 5)
}

func TestKeepsWhatTheBackendDoesNotTakeAndSendsItLater(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	b.answer = func(w http.ResponseWriter, request int) bool {
		if request <= 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return request <= 1
	}
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	for _, id := range []string{"one", "two"} {
		lambda.one(e, id)
	}
	b.has(t, 2)
	lambda.shutdown("spindown")
	if a, lines := e.end(); a.Sent.Spans != 2 || len(lines) != 2 || lines[0].Level != "WARN" {
		t.Errorf("account: %+v, %s", a, e.out.String())
	}
}

func TestHangingBackendHoldsNothingForEver(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	heal := make(chan struct{})
	b.answer = func(http.ResponseWriter, int) bool { <-heal; return false }
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	for i := range 10 {
		id := fmt.Sprint("r", i)
		lambda.one(e, id)
	}
	close(heal)
	lambda.shutdown("spindown")
	a, _ := e.end()
	if different, all := b.counts(); a.Sent.Spans != 10 || different != 10 || all != 10 {
		t.Errorf("%d spans, %d different; %+v", all, different, a)
	}
}

func TestFreezeInTheMiddleOfARequestSendsNothingTwice(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	arrived, reply := make(chan bool, 100), make(chan struct{})
	b.answer = func(_ http.ResponseWriter, request int) bool {
		arrived <- true
		if request == 1 {
			<-reply
		}
		return false
	}
	e := run(t, lambda, strings.Replace(fmt.Sprintf(through, b.URL), "{endpoint:", "{timeout: 1s, endpoint:", 1))
	lambda.next()
	lambda.invoke("one", time.Second) // leaves half a second for the flush
	e.send("one")
	<-arrived
	lambda.done("one")
	lambda.next()
	_ = e.Process.Signal(syscall.SIGSTOP)
	close(reply) // the backend answers into the frozen process's socket
	time.Sleep(1500 * time.Millisecond)
	_ = e.Process.Signal(syscall.SIGCONT)
	lambda.one(e, "two")
	lambda.shutdown("spindown")
	a, _ := e.end()
	if different, all := b.counts(); different != 2 || all != 2 || a.Sent.Spans != 2 {
		t.Errorf("%d spans, %d different; %s", all, different, e.out.String())
	}
}

func TestShutdownSendsWhatCameAfterTheLastInvocation(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	b.answer = func(w http.ResponseWriter, request int) bool {
		if request <= 2 {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return request <= 2
	}
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	lambda.one(e, "one")
	e.send("two")
	lambda.shutdown("timeout") // tries again in spite of Retry-After, is refused again, and gives up
	if a, _ := e.end(); a.Received.Spans != 2 || a.Dropped.Spans != 2 || a.Sent.Spans != 0 || a.Reason != "timeout" || a.Why["shutdown"].Spans != 2 || a.Retried.Spans == 0 || a.Level != "WARN" {
		t.Errorf("account: %+v", a)
	}
}

func TestBadConfigurationNeverFailsTheFunction(t *testing.T) {
	for name, c := range map[string]struct{ config, key, cause string }{
		"unknown component": {"exporters: {kafka: {}}, service: {}", "exporters::kafka", `no component "kafka"`},
		"unknown key":       {"exporters: {otlphttp: {endpoint: 'http://a', endpont: b}}, service: {}", "exporters::otlphttp::endpont", "endpont"},
		"bad value":         {"exporters: {otlphttp: {endpoint: 'nowhere'}}, service: {}", "exporters::otlphttp::endpoint", "must be a URL"},
		"unknown reference": {"exporters: {debug: {}}, service: {pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}}}", "service::pipelines::traces::exporters", `"otlphttp" is not configured`},
		"not YAML":          {"exporters: [", "", "yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			lambda := newLambda(t, true)
			e := run(t, lambda, c.config)
			lambda.next()
			lambda.invoke("one", time.Minute)
			lambda.done("one")
			lambda.next()
			lambda.shutdown("spindown")
			_, lines := e.end()
			if len(lines) == 0 || lines[0].Level != "ERROR" || lines[0].Key != c.key || !strings.Contains(fmt.Sprint(lines[0].Cause), c.cause) || lines[0].Remedy == "" {
				t.Errorf("no clear error: %s", e.out.String())
			}
		})
	}
}

func TestSIGTERMFlushes(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	e.send("one")
	_ = e.Process.Signal(syscall.SIGTERM)
	if a, _ := e.end(); a.Sent.Spans != 1 || a.Reason != "signal" {
		t.Errorf("account: %+v", a)
	}
}

func TestTelemetryIsAskedForByNameWhereAnAddressIsRefused(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	lambda.mu.Lock()
	lambda.strict = true
	lambda.mu.Unlock()
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	lambda.one(e, "one")
	b.has(t, 1)
	lambda.shutdown("spindown")
	if _, lines := e.end(); len(lines) != 1 || lines[0].Msg != "shutdown" {
		t.Errorf("lines: %s", e.out.String())
	}
}
