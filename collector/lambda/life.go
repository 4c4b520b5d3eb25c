package lambda

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/host"
)

const (
	patience    = 2 * time.Second         // longest wait for a flush
	reserve     = 500 * time.Millisecond  // left of the invocation's time
	lastReserve = 150 * time.Millisecond  // left of the shutdown's time
	longestEnd  = 2 * time.Second         // what Lambda gives at SHUTDOWN
	shortestEnd = 1250 * time.Millisecond // of it, when the runtime has taken its part
	idleSpell   = 3 * time.Second         // connections that rested longer are not trusted
)

// Collector is what the life drives.
type Collector interface {
	Resume(idle bool)
	Flush(ctx context.Context)
	InvocationBegan(delivery.Invocation)
	Hold(on bool)
	Release()
	Oldest() time.Time
}

var _ Collector = (*host.Host)(nil)

// Extension is a registered extension.
type Extension struct {
	API       *API
	Ends      *Ends
	Telemetry *Telemetry // nil where Lambda does not tell when the function is done
	Logger    *zap.Logger
	Flush     Flush
	Restored  bool // the environment comes from a snapshot: the first invocation begins with connections of another machine

	pace    pace
	rested  time.Time // wall time of the last activity
	doubted bool      // an invocation was over its first seconds, and no telemetry event had ever come
}

// Run serves events until SHUTDOWN, or until ctx ends; it returns the time by which everything must have ended.
func (e *Extension) Run(ctx context.Context, c Collector) (deadline time.Time, reason string) {
	e.pace, e.rested = pace{Flush: e.Flush}, now()
	if e.Flush.Policy == Periodic || e.Flush.Policy == AtShutdown {
		c.Hold(true)
	}
	if e.Flush.Policy != AtShutdown && e.Flush.Policy != End {
		watched, cancel := context.WithCancel(ctx)
		var watching sync.WaitGroup
		defer watching.Wait() // the collector is closed next
		defer cancel()
		watching.Go(func() { e.watch(watched, c, e.Flush) })
	}
	for pause := 10 * time.Millisecond; ; {
		event, err := e.API.Next(ctx)
		if ctx.Err() != nil {
			return now().Add(patience), "signal"
		}
		switch {
		case err != nil:
			e.Logger.Warn("no event from Lambda, asking again", zap.NamedError("cause", err), zap.String("remedy", "none is needed when it passes"))
			sleep(ctx, pause)
			pause = min(2*pause, 5*time.Second)
			continue
		case event.Type == Shutdown:
			return time.Now().Add(ending(time.Until(event.Deadline()))), event.Reason
		case event.Type == Invoke:
			e.safely(func() { e.invocation(ctx, event, c) })
		}
		pause, e.rested = 10*time.Millisecond, now()
	}
}

// invocation returns when the environment may be frozen. Without word of the function's end that is at once: what comes later is
// sent while the function runs, and what a freeze cuts off goes on after it.
func (e *Extension) invocation(ctx context.Context, event Event, c Collector) {
	begins := now()
	c.Resume(begins.Sub(e.rested) > idleSpell || (e.Restored && e.pace.invocations == 0))
	hold, release := e.pace.begin(begins, c.Oldest())
	untold := e.Telemetry == nil || (e.doubted && e.Telemetry.silent.Load())
	if untold && e.Flush.Policy == Auto {
		hold = false
	}
	c.Hold(hold)
	if release {
		c.Release()
	}
	c.InvocationBegan(delivery.Invocation{RequestID: event.RequestID, ARN: event.ARN, TraceHeader: event.TraceHeader, Deadline: event.Deadline()})
	if untold {
		return
	}
	defer e.Ends.Forget(event.RequestID)
	left := time.Until(event.Deadline())
	if left <= 0 { // an invocation that has just begun is not over: the clocks differ
		left = patience + reserve
	}
	deadline := time.Now().Add(left) // of the monotonic clock, which nobody sets
	late := time.NewTimer(left)
	defer late.Stop()
	doubt := time.NewTimer(min(patience, left/2))
	defer doubt.Stop()
	for done := false; !done; {
		select {
		case <-e.Ends.Done(event.RequestID):
			done = true
		case <-doubt.C:
			if e.Telemetry.silent.Load() { // a long handler tells of its start at least
				e.doubted = true
				e.Logger.Warn("Lambda took the subscription to telemetry events and sends none, data is sent while the function runs",
					zap.String("remedy", "nothing need be done for this to work, only data may come later"))
				return
			}
		case <-late.C: // the function is being killed: SHUTDOWN comes next, with time for a flush
			return
		case <-ctx.Done():
			return
		}
	}
	if hold && !e.pace.old(now(), c.Oldest()) {
		return
	}
	flush, cancel := context.WithTimeout(ctx, host.Budget(time.Now(), deadline, reserve, e.Flush.Wait))
	defer cancel()
	c.Flush(flush)
}

// watch sends what gets too old while the environment runs: beside a handler that takes long, or between the invocations of an
// environment that is not frozen.
func (e *Extension) watch(ctx context.Context, c Collector, flush Flush) {
	watched := pace{Flush: flush}
	ticker := time.NewTicker(max(10*time.Millisecond, min(time.Second, flush.MaxAge/2)))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			e.safely(func() {
				if watched.old(now(), c.Oldest()) {
					c.Release()
				}
			})
		case <-ctx.Done():
			return
		}
	}
}

// safely keeps a panic of a component from ending the process, and with it the function.
func (e *Extension) safely(do func()) {
	if err := delivery.Safely(func() error { do(); return nil }); err != nil {
		e.Logger.Error("a component failed, the extension goes on", zap.Error(err))
	}
}

// ending is how long the end may take when so much is left of what SHUTDOWN tells: what Lambda gives is known, and its clock is not ours.
func ending(left time.Duration) time.Duration {
	return min(max(left, shortestEnd), longestEnd) - lastReserve
}

// now is the wall time without the monotonic clock, which may stand still in a freeze.
func now() time.Time { return time.Now().Round(0) }

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
