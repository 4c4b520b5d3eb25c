package lambda

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// stubborn is a collector whose flush never succeeds, on the fake clock of synctest.
type stubborn struct {
	holding  bool
	released atomic.Int32
	flushed  []time.Duration // how long each flush was let wait
	idle     []bool
	oldest   time.Time
	panics   bool
}

func (s *stubborn) Resume(idle bool)                    { s.idle = append(s.idle, idle) }
func (s *stubborn) InvocationBegan(delivery.Invocation) {}
func (s *stubborn) Hold(on bool)                        { s.holding = on }
func (s *stubborn) Release()                            { s.released.Add(1) }
func (s *stubborn) Oldest() time.Time                   { return s.oldest }
func (s *stubborn) Flush(ctx context.Context) {
	if s.panics {
		panic("a component of somebody else")
	}
	began := time.Now()
	<-ctx.Done()
	s.flushed = append(s.flushed, time.Since(began))
}

func TestAFlushWaitsAtMostItsTimeoutTwoSecondsAndHalfASecondBeforeTheDeadline(t *testing.T) {
	for _, c := range []struct{ function, ran, configured, want time.Duration }{
		{15 * time.Minute, time.Second, patience, 2 * time.Second},
		{15 * time.Minute, time.Second, 300 * time.Millisecond, 300 * time.Millisecond},
		{3 * time.Second, time.Second, patience, 1500 * time.Millisecond},
		{3 * time.Second, 2600 * time.Millisecond, patience, 0},
		{3 * time.Second, 2900 * time.Millisecond, patience, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &stubborn{}
			e := &Extension{Ends: &Ends{}, Telemetry: &Telemetry{}, Logger: zap.NewNop(), Flush: Flush{Policy: End, MaxAge: defaultAge, Wait: c.configured}}
			e.pace = pace{Flush: e.Flush}
			go func() { time.Sleep(c.ran); e.Ends.Finish("r") }()
			e.invocation(t.Context(), Event{RequestID: "r", DeadlineMs: time.Now().Add(c.function).UnixMilli()}, s)
			if len(s.flushed) != 1 || s.flushed[0] != c.want {
				t.Errorf("%+v: waited %v", c, s.flushed)
			}
		})
	}
}

func TestAnInvocationThatTimesOutIsNotFlushedButLeftToSHUTDOWN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stubborn{}
		e := &Extension{Ends: &Ends{}, Telemetry: &Telemetry{}, Logger: zap.NewNop(), pace: pace{Flush: Flush{Policy: End}}}
		began := time.Now()
		e.invocation(t.Context(), Event{RequestID: "r", DeadlineMs: began.Add(3 * time.Second).UnixMilli()}, s)
		if len(s.flushed) != 0 || time.Since(began) != 3*time.Second {
			t.Errorf("flushed %v after %s", s.flushed, time.Since(began))
		}
	})
}

// Lambda tells deadlines by its clock, and ours may be set at any time.
func TestAnInvocationIsFlushedAtItsEndThoughTheClocksDiffer(t *testing.T) {
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := &stubborn{}
			e := &Extension{Ends: &Ends{}, Telemetry: &Telemetry{}, Logger: zap.NewNop(), Flush: Flush{Policy: End, Wait: patience}}
			e.pace = pace{Flush: e.Flush}
			go func() { time.Sleep(500 * time.Millisecond); e.Ends.Finish("r") }()
			e.invocation(t.Context(), Event{RequestID: "r", DeadlineMs: time.Now().Add(3*time.Second - ahead).UnixMilli()}, s)
			if len(s.flushed) != 1 || s.flushed[0] < time.Second {
				t.Errorf("our clock is %s ahead: flushed %v", ahead, s.flushed)
			}
		})
	}
}

func TestSHUTDOWNHasTheTimeThatLambdaGivesThoughTheClocksDiffer(t *testing.T) {
	for told, want := range map[time.Duration]time.Duration{
		1700 * time.Millisecond: 1700 * time.Millisecond, 200 * time.Millisecond: shortestEnd, -time.Hour: shortestEnd, time.Hour: longestEnd,
	} {
		if got := ending(told); got != want-lastReserve {
			t.Errorf("told %s: %s, not %s", told, got, want-lastReserve)
		}
	}
}

func TestASubscriptionThatNeverDeliversHoldsTwoSecondsInAll(t *testing.T) {
	for name, c := range map[string]struct {
		event time.Duration // when the first telemetry event comes; 0: never
		waits []time.Duration
	}{
		"never":         {0, []time.Duration{2 * time.Second, 0, 0}},
		"in time":       {time.Second, []time.Duration{10 * time.Second, 10 * time.Second, 10 * time.Second}},
		"after a while": {11 * time.Second, []time.Duration{2 * time.Second, 0, 10 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, flush := &stubborn{}, Flush{Policy: Auto, MaxAge: defaultAge, Wait: time.Nanosecond}
				telemetry := &Telemetry{}
				telemetry.silent.Store(true)
				e := &Extension{Ends: &Ends{}, Telemetry: telemetry, Logger: zap.NewNop(), Flush: flush, pace: pace{Flush: flush}}
				if c.event > 0 {
					go func() { time.Sleep(c.event); telemetry.silent.Store(false) }()
				}
				for i, want := range c.waits { // each function runs 10 s
					id, began := fmt.Sprint(i), time.Now()
					over := make(chan struct{})
					go func() { time.Sleep(10 * time.Second); e.Ends.Finish(id); close(over) }()
					e.invocation(t.Context(), Event{RequestID: id, DeadlineMs: now().Add(time.Minute).UnixMilli()}, s)
					if got := time.Since(began).Truncate(time.Millisecond); got != want {
						t.Errorf("invocation %d held %s, not %s", i+1, got, want)
					}
					<-over
				}
			})
		})
	}
}

func TestHeldDataIsFlushedAtTheEndOnceItIsOld(t *testing.T) {
	for age, want := range map[time.Duration]int{19 * time.Second: 0, 20 * time.Second: 1} {
		synctest.Test(t, func(t *testing.T) {
			flush := Flush{Policy: Auto, MaxAge: defaultAge, Wait: patience}
			s := &stubborn{oldest: now().Add(-age)}
			e := &Extension{Ends: &Ends{}, Telemetry: &Telemetry{}, Logger: zap.NewNop(), Flush: flush, pace: pace{Flush: flush, invocations: adapt, last: now()}}
			e.Ends.Finish("r")
			e.invocation(t.Context(), Event{RequestID: "r", DeadlineMs: now().Add(time.Minute).UnixMilli()}, s)
			if !s.holding || s.released.Load() != 1 || len(s.flushed) != want {
				t.Errorf("age %s: hold %t, released %d, flushed %v", age, s.holding, s.released.Load(), s.flushed)
			}
		})
	}
}

func TestOldDataIsReleasedBesideALongHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &stubborn{oldest: now()}
		e := &Extension{Logger: zap.NewNop()}
		go e.watch(ctx, s, Flush{Policy: Auto, MaxAge: defaultAge})
		time.Sleep(19500 * time.Millisecond)
		synctest.Wait()
		if s.released.Load() != 0 {
			t.Error("released too early")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s.released.Load() != 1 {
			t.Errorf("released %d times", s.released.Load())
		}
		cancel()
		synctest.Wait()
	})
}

func TestConnectionsAreNotTrustedAfterARestOrARestore(t *testing.T) {
	for _, c := range []struct {
		rest     time.Duration
		restored bool
		want     bool
	}{{time.Second, false, false}, {4 * time.Second, false, true}, {time.Second, true, true}} {
		synctest.Test(t, func(t *testing.T) {
			s := &stubborn{}
			e := &Extension{Ends: &Ends{}, Logger: zap.NewNop(), Restored: c.restored, rested: now()}
			time.Sleep(c.rest)
			for range 2 {
				e.invocation(t.Context(), Event{RequestID: "r"}, s)
				e.rested = now()
			}
			if s.idle[0] != c.want || s.idle[1] {
				t.Errorf("%+v: %v", c, s.idle)
			}
		})
	}
}

func TestAPanicOfAComponentEndsOnlyItsFlush(t *testing.T) {
	e := &Extension{Ends: &Ends{}, Telemetry: &Telemetry{}, Logger: zap.NewNop(), pace: pace{Flush: Flush{Policy: End}}}
	e.Ends.Finish("r")
	e.safely(func() {
		e.invocation(t.Context(), Event{RequestID: "r", DeadlineMs: now().Add(time.Minute).UnixMilli()}, &stubborn{panics: true})
	})
}
