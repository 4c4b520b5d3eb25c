package main

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAutoFlushesTheFirstInvocationsAtTheirEndsAndThenBesideTheNext(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL))
	lambda.next()
	for i := range 20 {
		lambda.one(e, fmt.Sprint("early-", i))
		b.has(t, i+1)
	}
	sent := 20
	for held := false; !held; { // what comes before the extension has read INVOKE is still sent at once
		if sent == 70 {
			t.Fatal("nothing is ever held")
		}
		lambda.one(e, fmt.Sprint("maybe-", sent))
		sent++
		e.freeze(50 * time.Millisecond)
		different, _ := b.counts()
		held = different < sent
	}
	for i := range 5 {
		id := fmt.Sprint("busy-", i)
		lambda.invoke(id, time.Minute)
		b.arrive(t, sent) // what the invocation before left, while the handler runs
		e.send(id)
		sent++
		lambda.done(id)
		lambda.next()
		e.freeze(20 * time.Millisecond)
		b.has(t, sent-1)
	}
	lambda.shutdown("spindown")
	if a, _ := e.end(); a.Received.Spans != sent || a.Sent.Spans != sent {
		t.Errorf("account: %+v", a)
	}
	b.has(t, sent)
}

func TestPeriodicSendsWhatIsOldEnoughBesideTheHandler(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL), "OTEL_LAMBDA_FLUSH=periodic,100")
	lambda.next()
	lambda.invoke("long", time.Minute)
	e.send("long")
	b.arrive(t, 1) // the handler still runs
	lambda.done("long")
	lambda.next()
	lambda.one(e, "two")
	e.freeze(150 * time.Millisecond)
	lambda.invoke("three", time.Minute)
	b.arrive(t, 2) // it got old in the freeze
	lambda.done("three")
	lambda.next()
	lambda.shutdown("spindown")
	if a, _ := e.end(); a.Sent.Spans != 2 {
		t.Errorf("account: %+v", a)
	}
	b.has(t, 2)
}

func TestPeriodicAndShutdownHoldUntilTheEnvironmentEnds(t *testing.T) {
	for _, policy := range []string{"periodic,1h", "shutdown"} {
		for _, reason := range []string{"spindown", "timeout", "failure"} {
			t.Run(policy+" "+reason, func(t *testing.T) {
				lambda, b := newLambda(t, true), newBackend(t)
				e := run(t, lambda, fmt.Sprintf(through, b.URL), "OTEL_LAMBDA_FLUSH="+policy)
				lambda.next()
				for i := range 30 {
					lambda.one(e, fmt.Sprint("r", i))
				}
				e.freeze(50 * time.Millisecond)
				b.has(t, 0)
				lambda.shutdown(reason)
				if a, _ := e.end(); a.Sent.Spans != 30 || a.Reason != reason || e.started.Flush != strings.Split(policy, ",")[0] {
					t.Errorf("account: %+v", a)
				}
				b.has(t, 30)
				if b.requests != 1 {
					t.Errorf("%d requests", b.requests)
				}
			})
		}
	}
}

func TestShutdownPolicySendsEarlierWhenHalfOfTheMemoryIsUsed(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, strings.Replace(fmt.Sprintf(through, b.URL), "{endpoint:", "{sending_queue: {queue_size: 4000}, endpoint:", 1), "OTEL_LAMBDA_FLUSH=shutdown")
	lambda.next()
	lambda.invoke("one", time.Minute)
	for i := range 5 {
		e.send(fmt.Sprint(i, strings.Repeat("x", 500)))
	}
	b.arrive(t, 4)
	lambda.done("one")
	lambda.next()
	lambda.shutdown("spindown")
	if a, _ := e.end(); a.Sent.Spans != 5 || a.Dropped.Spans != 0 {
		t.Errorf("account: %+v", a)
	}
	b.has(t, 5)
}

func TestFreezeCutsAnOverlappedRequestAndNothingComesTwice(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	arrived, reply := make(chan bool, 100), make(chan struct{})
	b.answer = func(_ http.ResponseWriter, request int) bool {
		arrived <- true
		if request == 1 {
			<-reply
		}
		return false
	}
	e := run(t, lambda, fmt.Sprintf(through, b.URL), "OTEL_LAMBDA_FLUSH=periodic,50")
	lambda.next()
	lambda.one(e, "one")
	e.freeze(100 * time.Millisecond)
	lambda.invoke("two", time.Minute)
	<-arrived
	_ = e.Process.Signal(syscall.SIGSTOP)
	close(reply) // into the frozen process's socket
	time.Sleep(100 * time.Millisecond)
	_ = e.Process.Signal(syscall.SIGCONT)
	lambda.done("two")
	lambda.next()
	lambda.shutdown("spindown")
	if a, _ := e.end(); a.Sent.Spans != 1 {
		t.Errorf("account: %+v", a)
	}
	b.has(t, 1)
}

func TestAKilledEnvironmentLosesWhatWasHeldAndNoMore(t *testing.T) {
	for policy, lost := range map[string]int{"end": 0, "auto": 1, "periodic": 25, "shutdown": 25} {
		t.Run(policy, func(t *testing.T) {
			lambda, b := newLambda(t, true), newBackend(t)
			e := run(t, lambda, fmt.Sprintf(through, b.URL), "OTEL_LAMBDA_FLUSH="+policy)
			lambda.next()
			for i := range 25 {
				lambda.invoke(fmt.Sprint("r", i), time.Minute)
				if policy == "auto" {
					b.arrive(t, i) // this handler runs for as long as the sending takes
				}
				e.send(fmt.Sprint("r", i))
				lambda.done(fmt.Sprint("r", i))
				lambda.next()
			}
			_ = e.Process.Kill()
			<-e.gone
			if different, _ := b.counts(); different < 25-lost || (policy != "auto" && different > 25-lost) {
				t.Errorf("the backend has %d spans of 25", different)
			}
		})
	}
}

func TestUnknownFlushSettingsCostOneLineAndTheDefaultsAreUsed(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL), "OTEL_LAMBDA_FLUSH=sometimes", "OTEL_LAMBDA_FLUSH_TIMEOUT=long")
	lambda.next()
	lambda.one(e, "one")
	b.has(t, 1)
	lambda.shutdown("spindown")
	_, lines := e.end()
	if len(lines) != 2 || lines[0].Level != "WARN" || !strings.Contains(fmt.Sprint(lines[0].Cause), "FLUSH=sometimes") || !strings.Contains(fmt.Sprint(lines[0].Cause), "TIMEOUT=long") || e.started.Flush != "auto" {
		t.Errorf("lines: %s", e.out.String())
	}
}

func TestAQuietEnvironmentWritesOneLine(t *testing.T) {
	lambda, b := newLambda(t, true), newBackend(t)
	e := run(t, lambda, fmt.Sprintf(through, b.URL), "OTEL_LAMBDA_ACCOUNT=")
	lambda.next()
	for i := range 30 {
		lambda.one(e, fmt.Sprint(i))
	}
	lambda.shutdown("spindown")
	_, _ = e.end()
	if n := strings.Count(e.out.String(), "\n"); n != 1 {
		t.Errorf("%d lines: %s", n, e.out.String())
	}
}
