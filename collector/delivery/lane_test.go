package delivery

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"
)

// far is a backend under the test's control, on the fake clock of synctest.
type far struct {
	outcomes []Outcome // of the first requests; then all are delivered
	delay    time.Duration
	healed   atomic.Bool     // no delay from now on
	delays   []time.Duration // of the first requests
	got      []string        // what was delivered
	count    atomic.Int64
}

func (f *far) send(ctx context.Context, bodies [][]byte) Outcome {
	f.count.Add(1)
	delay := f.delay
	if f.healed.Load() {
		delay = 0
	}
	if len(f.delays) > 0 {
		delay, f.delays = f.delays[0], f.delays[1:]
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return Outcome{Verdict: Cut, Err: ctx.Err()}
	}
	if len(f.outcomes) > 0 {
		o := f.outcomes[0]
		f.outcomes = f.outcomes[1:]
		if o.Verdict != Delivered {
			return o
		}
	}
	for _, body := range bodies {
		f.got = append(f.got, string(body))
	}
	return Outcome{}
}

func (f *far) requests() int { return int(f.count.Load()) }

func lane(f *far, tally *Tally, maxHeld int) *Lane {
	return NewLane(Settings{Signal: pipeline.SignalTraces, Send: f.send, Logger: zap.NewNop(), MaxHeld: maxHeld, MaxRequest: 1000, Retry: true}, tally)
}

func within(t *testing.T, limit time.Duration, do func(context.Context)) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	do(ctx)
	return time.Since(began)
}

func TestRefusedBatchIsSentAgainOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		bad := Outcome{Verdict: Refused, Err: errors.New("400")}
		f := &far{delay: time.Second / 2, outcomes: []Outcome{{}, bad, {}, bad, {}}}
		l := lane(f, &tally, 1000)
		defer l.Stop()
		for _, body := range []string{"first", "a", "b", "c"} {
			l.Put(Item{Body: []byte(body), Records: 2})
			synctest.Wait() // the first is in its request; the others wait and go out together
		}
		within(t, time.Minute, l.Flush)
		if sent, dropped := tally.Sent.Counts().Spans, tally.Dropped.Counts().Spans; sent != 6 || dropped != 2 || f.requests() != 5 {
			t.Errorf("sent %d, dropped %d in %d requests: %q", sent, dropped, f.requests(), f.got)
		}
		if len(f.got) != 3 || f.got[1] != "a" || f.got[2] != "c" {
			t.Errorf("delivered %q", f.got)
		}
	})
}

func TestOldestGoesFirstWhenFullButNeverWhatIsInARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{delay: time.Second / 2}
		l := lane(f, &tally, 10)
		defer l.Stop()
		for _, body := range []string{"aaaa", "bbbb", "cccc", "dddd"} {
			l.Put(Item{Body: []byte(body), Records: 1})
			synctest.Wait()
		}
		l.Put(Item{Body: make([]byte, 11), Records: 7}) // can never fit
		within(t, time.Minute, l.Flush)
		if len(f.got) != 2 || f.got[0] != "aaaa" || f.got[1] != "dddd" || tally.Dropped.Counts().Spans != 9 {
			t.Errorf("delivered %q, dropped %+v", f.got, tally.Dropped.Counts())
		}
	})
}

func TestHangingBackendCostsOneFullWaitAndThenShortOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{delay: time.Hour, delays: []time.Duration{time.Hour, 0}}
		l := lane(f, &tally, 1000)
		l.Put(Item{Body: []byte("a"), Records: 1})
		if waited := within(t, 2*time.Second, l.Flush); waited != 2*time.Second {
			t.Errorf("first wait %s", waited)
		}
		l.Put(Item{Body: []byte("b"), Records: 1})
		if waited := within(t, 2*time.Second, l.Flush); waited != distrust {
			t.Errorf("second wait %s", waited)
		}
		time.Sleep(time.Hour)
		synctest.Wait() // the late answer has come, and the next one soon
		within(t, 2*time.Second, l.Flush)
		l.Put(Item{Body: []byte("c"), Records: 1})
		if waited := within(t, 2*time.Second, l.Flush); waited != 2*time.Second {
			t.Errorf("wait after an answer that was soon %s", waited)
		}
		l.Stop()
		if sent, dropped := tally.Sent.Counts().Spans, tally.Dropped.Counts().Spans; sent+dropped != 3 || sent < 1 {
			t.Errorf("sent %d, dropped %d", sent, dropped)
		}
	})
}

func TestUnreachableBackendIsTriedOnceAnInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		down := Outcome{Verdict: Unreachable, Err: errors.New("refused")}
		f := &far{outcomes: []Outcome{down, down, down}}
		l := lane(f, &tally, 1000)
		defer l.Stop()
		for i := range 4 {
			l.Resume(false)
			l.Put(Item{Body: []byte{byte(i)}, Records: 1})
			if waited := within(t, 2*time.Second, l.Flush); waited != 0 {
				t.Errorf("waited %s", waited)
			}
			if f.requests() != i+1 {
				t.Errorf("%d requests in %d invocations", f.requests(), i+1)
			}
		}
		if tally.Sent.Counts().Spans != 4 || l.Held() != 0 {
			t.Errorf("sent %+v, held %d", tally.Sent.Counts(), l.Held())
		}
	})
}

func TestBusyBackendIsLeftAloneForAsLongAsItSaidButTenMinutesAtMost(t *testing.T) {
	for _, c := range []struct{ said, waits, last time.Duration }{
		{5 * time.Second, 4 * time.Second, time.Second},
		{math.MaxInt64, 9 * time.Minute, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			var tally Tally
			f := &far{outcomes: []Outcome{{Verdict: Busy, RetryAfter: c.said, Err: errors.New("429")}}}
			l := lane(f, &tally, 1000)
			defer l.Stop()
			l.Put(Item{Body: []byte("a"), Records: 1})
			within(t, time.Second, l.Flush)
			time.Sleep(c.waits)
			l.Resume(true)
			synctest.Wait()
			if f.requests() != 1 {
				t.Error("it was asked too early")
			}
			time.Sleep(c.last + time.Millisecond) // not at the very instant at which the lane itself wakes
			l.Resume(true)
			within(t, time.Second, l.Flush)
			if f.requests() != 2 || tally.Sent.Counts().Spans != 1 {
				t.Errorf("%s: %d requests, sent %+v", c.said, f.requests(), tally.Sent.Counts())
			}
		})
	}
}

func TestRequestThatIsStillOpenAfterAThawIsCutAndSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{delay: time.Hour}
		l := lane(f, &tally, 1000)
		defer l.Stop()
		l.Put(Item{Body: []byte("a"), Records: 3})
		synctest.Wait()
		f.healed.Store(true)
		l.Resume(true)
		within(t, time.Minute, l.Flush)
		if tally.Sent.Counts().Spans != 3 || tally.Resent.Counts().Spans != 3 {
			t.Errorf("sent %+v, resent %+v", tally.Sent.Counts(), tally.Resent.Counts())
		}
	})
}

func TestLastFlushTriesInSpiteOfEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{outcomes: []Outcome{{Verdict: Busy, RetryAfter: time.Hour, Err: errors.New("429")}}}
		l := lane(f, &tally, 1000)
		l.Put(Item{Body: []byte("a"), Records: 1})
		within(t, time.Second, l.Flush)
		if l.Held() != 1 {
			t.Errorf("held %d", l.Held())
		}
		within(t, time.Second, l.FlushLast)
		l.Stop()
		if tally.Sent.Counts().Spans != 1 {
			t.Errorf("sent %+v", tally.Sent.Counts())
		}
	})
}

func TestRunningTimeEndsAContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := WithRunningTime(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), ErrTimeout) || time.Since(began) != 10*time.Second {
			t.Errorf("%v after %s", context.Cause(ctx), time.Since(began))
		}
	})
}

func TestHoldingLaneSendsOnlyWhatIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{}
		l := lane(f, &tally, 1000)
		defer l.Stop()
		put := func(body string) {
			l.Put(Item{Body: []byte(body), Records: 1})
			synctest.Wait()
		}
		l.Hold(true)
		put("a")
		began := time.Now().Round(0)
		time.Sleep(time.Minute)
		put("b")
		if f.requests() != 0 || !l.Oldest().Equal(began) {
			t.Errorf("%d requests, oldest %s", f.requests(), l.Oldest())
		}
		f.delay = time.Second
		l.Release()
		put("c") // while the request of the others runs
		time.Sleep(time.Minute)
		synctest.Wait()
		if f.requests() != 1 || len(f.got) != 2 || l.Held() != 1 {
			t.Errorf("delivered %q in %d requests", f.got, f.requests())
		}
		within(t, time.Minute, l.Flush)
		put("d")
		l.Hold(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(f.got) != 4 || f.got[2] != "c" || f.got[3] != "d" || !l.Oldest().IsZero() {
			t.Errorf("delivered %q", f.got)
		}
		l.Hold(true)
		put("e")
		within(t, time.Minute, l.FlushLast)
		if len(f.got) != 5 {
			t.Errorf("the last flush left something: %q", f.got)
		}
	})
}

func TestHoldingLaneSendsWhenHalfOfItsMemoryIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{}
		l := lane(f, &tally, 10)
		defer l.Stop()
		l.Hold(true)
		for range 3 {
			l.Put(Item{Body: []byte("aa"), Records: 1})
			synctest.Wait()
		}
		if tally.Sent.Counts().Spans != 3 || tally.Dropped.Counts().Spans != 0 {
			t.Errorf("sent %+v", tally.Sent.Counts())
		}
	})
}

func TestSlowBackendCostsNoMoreThanTheCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{delay: 2 * time.Second}
		l := lane(f, &tally, 1000)
		var waited time.Duration
		for range 10 {
			l.Resume(false)
			l.Put(Item{Body: []byte("a"), Records: 1})
			waited += within(t, 2*time.Second, l.Flush)
			time.Sleep(10 * time.Second) // the answer comes meanwhile
		}
		if waited > patience+10*distrust || tally.Sent.Counts().Spans != 10 {
			t.Errorf("waited %s, sent %+v", waited, tally.Sent.Counts())
		}
		l.Stop()
	})
}

func TestDeniedOpensTheCircuitAndOneProbeAnInvocationClosesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		denied := Outcome{Verdict: Denied, Err: errors.New("401")}
		f := &far{outcomes: []Outcome{denied, denied, denied}}
		l := lane(f, &tally, 1000)
		defer l.Stop()
		for i, want := range []int{1, 1, 2, 2, 3, 4} { // requests so far: probes wait 1 s, 2 s, 4 s
			if i > 0 {
				time.Sleep([]time.Duration{0, 900 * time.Millisecond, time.Second, time.Second, 2 * time.Second, 5 * time.Second}[i])
			}
			l.Resume(false)
			for range 3 {
				l.Put(Item{Body: []byte("a"), Records: 1})
				if waited := within(t, 2*time.Second, l.Flush); waited != 0 {
					t.Errorf("waited %s", waited)
				}
			}
			if i < 5 && f.requests() != want {
				t.Errorf("invocation %d: %d requests", i, f.requests())
			}
		}
		sent, refused, circuit := tally.Sent.Counts().Spans, tally.DroppedBy(Refusal).Spans, tally.DroppedBy(CircuitOff).Spans
		if sent != 3 || refused != 3 || circuit != 12 || tally.Dropped.Counts().Spans != 15 {
			t.Errorf("sent %d, refused %d, circuit %d", sent, refused, circuit)
		}
	})
}

func TestProbesWithoutInvocationsFollowTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{outcomes: []Outcome{{Verdict: Denied, Err: errors.New("404")}}}
		l := lane(f, &tally, 1000)
		defer l.Stop()
		for range 3 {
			l.Put(Item{Body: []byte("a"), Records: 1})
			within(t, time.Second, l.Flush)
			time.Sleep(600 * time.Millisecond)
		}
		if f.requests() != 2 || tally.Sent.Counts().Spans != 1 || tally.DroppedBy(CircuitOff).Spans != 1 {
			t.Errorf("%d requests, sent %+v", f.requests(), tally.Sent.Counts())
		}
	})
}

func TestBackendThatRefusesEveryMessageIsNotAskedForEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{}
		for range 100 {
			f.outcomes = append(f.outcomes, Outcome{Verdict: Refused, Err: errors.New("400")})
		}
		l := lane(f, &tally, 1000)
		defer l.Stop()
		for range 50 {
			l.Put(Item{Body: []byte("a"), Records: 1})
		}
		within(t, time.Second, l.Flush)
		if f.requests() > hopeless+1 || tally.Dropped.Counts().Spans != 50 || l.Held() != 0 {
			t.Errorf("%d requests, dropped %+v, held %d", f.requests(), tally.Dropped.Counts(), l.Held())
		}
	})
}

func TestWhatIsTooOldIsDroppedAndRetriesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		busy := Outcome{Verdict: Busy, Err: errors.New("503")}
		f := &far{outcomes: []Outcome{busy, busy}}
		l := NewLane(Settings{
			Signal: pipeline.SignalTraces, Send: f.send, Logger: zap.NewNop(), MaxHeld: 1000, MaxRequest: 1000, Retry: true, MaxAge: time.Minute,
			Pause: func(int) time.Duration { return 2 * time.Hour },
		}, &tally)
		defer l.Stop()
		l.Put(Item{Body: []byte("old"), Records: 1})
		within(t, time.Second, l.Flush)
		time.Sleep(time.Hour)
		l.Put(Item{Body: []byte("new"), Records: 1})
		l.Resume(true)
		within(t, time.Second, l.Flush)
		if tally.DroppedBy(Expired).Spans != 1 || l.Held() != 1 || tally.Retried.Counts().Spans != 1 {
			t.Errorf("expired %+v, held %d, retried %+v", tally.DroppedBy(Expired), l.Held(), tally.Retried.Counts())
		}
		time.Sleep(3 * time.Hour)
		within(t, time.Second, l.Flush)
		if len(f.got) != 1 || f.got[0] != "new" || tally.Retried.Counts().Spans != 2 || tally.Resent.Counts().Spans != 0 {
			t.Errorf("delivered %q, retried %+v", f.got, tally.Retried.Counts())
		}
	})
}

func TestQueueMayBeBoundedInRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{outcomes: []Outcome{{Verdict: Busy, RetryAfter: time.Hour, Err: errors.New("503")}}}
		l := NewLane(Settings{
			Signal: pipeline.SignalTraces, Send: f.send, Logger: zap.NewNop(), MaxHeld: 1000, MaxRequest: 1000, Retry: true,
			MaxUnits: 5, Units: func(item Item) int { return item.Records },
		}, &tally)
		for range 4 {
			l.Put(Item{Body: []byte("a"), Records: 2})
			within(t, time.Second, l.Flush)
		}
		l.Put(Item{Body: []byte("a"), Records: 6})
		if l.Held() != 4 || tally.DroppedBy(QueueFull).Spans != 4 || tally.DroppedBy(TooLarge).Spans != 6 {
			t.Errorf("held %d, dropped %+v", l.Held(), tally.Dropped.Counts())
		}
		l.Stop()
		if tally.DroppedBy(AtShutdown).Spans != 4 {
			t.Errorf("shutdown %+v", tally.DroppedBy(AtShutdown))
		}
	})
}

func TestPanicOfASendCostsOnlyItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{delay: time.Second / 2}
		l := NewLane(Settings{Signal: pipeline.SignalTraces, Logger: zap.NewNop(), MaxHeld: 1000, MaxRequest: 1000, Retry: true, Send: func(ctx context.Context, bodies [][]byte) Outcome {
			for _, body := range bodies {
				if string(body) == "bad" {
					panic("trips")
				}
			}
			return f.send(ctx, bodies)
		}}, &tally)
		defer l.Stop()
		for _, body := range []string{"first", "a", "bad", "c"} {
			l.Put(Item{Body: []byte(body), Records: 2})
			synctest.Wait()
		}
		within(t, time.Minute, l.Flush)
		if sent, dropped := tally.Sent.Counts().Spans, tally.Dropped.Counts().Spans; sent != 6 || dropped != 2 {
			t.Errorf("sent %d, dropped %d", sent, dropped)
		}
	})
}

func TestRecoverSaysWhatAndWhere(t *testing.T) {
	err := Safely(func() error { var none map[string]int; none["a"] = 1; return nil }) //nolint:staticcheck // it panics
	if err == nil || !strings.Contains(err.Error(), "nil map") || !strings.Contains(err.Error(), "lane_test.go") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

// giver puts a message every few milliseconds until stop is called, as a background thread of a function does.
func giver(put func()) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			put()
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() { close(done); <-ended }
}

func TestAFlushDoesNotWaitForWhatComesMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lane(&far{delay: 20 * time.Millisecond}, &Tally{}, 1000)
		defer l.Stop()
		defer giver(func() { l.Put(Item{Body: []byte("a"), Records: 1}) })()
		time.Sleep(50 * time.Millisecond)
		if took := within(t, time.Minute, l.Flush); took > 80*time.Millisecond { // the request in flight, ours, and one that has begun by then
			t.Errorf("a lane held the environment for %s", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Second) // what is being handed on
		s := NewStage(StageSettings{Signal: pipeline.SignalTraces, Logger: zap.NewNop(), MaxBytes: 1000, Single: true,
			Deliver: func(context.Context, []Load) error { time.Sleep(4 * time.Millisecond); return nil }}, &Tally{})
		defer s.Stop()
		defer giver(func() { s.Put(Load{Records: 1}); s.Put(Load{Records: 1}) })()
		time.Sleep(50 * time.Millisecond)
		if took := within(t, time.Minute, s.Flush); took > time.Second {
			t.Errorf("a stage held the environment for %s", took)
		}
	})
}
