package delivery

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"
)

// Verdict is what became of a request.
type Verdict int

// The verdicts.
const (
	Delivered   Verdict = iota // acknowledged
	Refused                    // permanent: sending it again cannot help
	Denied                     // permanent, whatever is sent: the key, the path or the permission is wrong
	Busy                       // the backend answered: not now
	Unreachable                // it cannot have arrived
	Cut                        // it may have arrived: the connection broke or the time-out passed before the reply
)

// Outcome is the verdict with its details.
type Outcome struct {
	Verdict    Verdict
	Rejected   int           // records that the backend rejected of a delivered request
	RetryAfter time.Duration // when the backend said so
	Repeats    int           // times that the request went out again, since its connection ended without a reply: it may have arrived
	Err        error
}

// Send sends encoded messages of one signal, joined, as one request.
type Send func(ctx context.Context, bodies [][]byte) Outcome

// Item is one encoded OTLP message that waits to be sent.
type Item struct {
	Body    []byte
	Records int
	tried   bool      // was in a request
	alone   bool      // was part of a refused batch: goes out by itself, so that one bad message spoils no other
	cut     bool      // its last request was cut before the reply
	number  int       // counts the lane's items
	taken   time.Time // wall time
}

// Settings of a lane.
type Settings struct {
	Signal     pipeline.Signal
	Send       Send
	Logger     *zap.Logger
	MaxHeld    int                           // bytes kept; when more, the oldest go
	MaxUnits   int                           // further bound, in what Units counts; 0 is none
	Units      func(Item) int                // nil when MaxUnits is 0
	MaxRequest int                           // bytes of bodies joined into one request
	Retry      bool                          // keep what the backend does not take now
	MaxAge     time.Duration                 // of what is kept, in wall time; 0 is any
	Pause      func(fails int) time.Duration // after the nth failure in a row; nil is 1 s doubled up to 30 s
}

const (
	// A lane may hold the environment for this long in all, and again after every answer that was soon.
	patience = 2 * time.Second
	soon     = time.Second
	// Without credit a flush waits this long.
	distrust = 20 * time.Millisecond
	// So many messages refused in a row mean that the backend takes none.
	hopeless = 8
)

// Lane sends the messages of one signal to one backend, in order, one request at a time, beside the work of the function.
type Lane struct {
	set   Settings
	tally *Tally

	mu       sync.Mutex
	queue    []Item
	held     int                // bytes of the queue
	units    int                // of the queue, as MaxUnits counts
	flying   int                // items at the queue's front that are in a request
	request  int                // counts the requests
	abort    context.CancelFunc // ends that request
	aborted  bool
	paused   bool          // the backend did not take the last request
	until    time.Time     // ends the pause; wall time, which goes on in a freeze
	resumes  time.Time     // Resume ends the pause from here on
	fails    int           // requests in a row that were not taken
	failing  bool          // the failure has been logged
	credit   time.Duration // how long flushes may still wait
	began    time.Time     // of the request
	answers  int           // requests that were answered soon
	frozen   bool          // the environment rested since then
	open     bool          // the circuit: the backend refuses everything, nothing is sent but probes
	probing  bool          // the next request is a probe
	resumed  bool          // somebody says when invocations begin
	refused  int           // messages refused in a row
	holding  bool          // items wait for Release
	count    int           // number of the newest item
	through  int           // while holding, items up to this number may go
	draining int           // who waits for the lane
	gathers  chan struct{} // closed to end a gathering; nil when there is none
	stopped  bool
	changed  chan struct{} // closed and replaced at every change of the state above
	done     chan struct{}
}

// NewLane starts a lane.
func NewLane(set Settings, tally *Tally) *Lane {
	l := &Lane{credit: patience, set: set, tally: tally, changed: make(chan struct{}), done: make(chan struct{})}
	go l.run()
	return l
}

// Put queues a message.
func (l *Lane) Put(item Item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stopped:
		l.tally.Drop(AtShutdown, l.set.Signal, item.Records)
		return
	case len(item.Body) > l.set.MaxHeld || (l.set.MaxUnits > 0 && l.set.Units(item) > l.set.MaxUnits):
		l.tally.Drop(TooLarge, l.set.Signal, item.Records)
		l.complain("message is larger than the queue, it is dropped", zap.Int("dropped", item.Records))
		return
	}
	if l.open && !l.resumed {
		l.probe()
	}
	if l.open && !l.probing {
		l.tally.Drop(CircuitOff, l.set.Signal, item.Records)
		return
	}
	l.count++
	item.number, item.taken = l.count, time.Now().Round(0)
	l.queue = append(l.queue, item)
	l.weigh(item, 1)
	if l.held >= l.set.MaxRequest/4 {
		l.hurry()
	}
	if l.held > l.set.MaxHeld/2 || (l.set.MaxUnits > 0 && l.units > l.set.MaxUnits/2) {
		l.through = l.count // memory asks: better cut by a freeze than pushed out
	}
	l.makeRoom()
	l.notify()
}

// Resume allows what was kept to be tried again. After an idle spell a request that is still in flight gets a moment for
// the reply that may wait in its socket; then its connection counts as dead.
func (l *Lane) Resume(idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resumed, l.frozen = true, true
	l.probe()
	if l.paused && !time.Now().Before(l.resumes) {
		l.paused = false
		l.notify()
	}
	if idle {
		l.abortAfter(500 * time.Millisecond)
	}
}

// Hold keeps what waits and what comes until Release or a flush, or sends it as it comes again.
func (l *Lane) Hold(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holding = on
	l.notify()
}

// Release sends what waits now; what comes later is held as before.
func (l *Lane) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.through = l.count
	l.notify()
}

// Oldest is the wall time at which the oldest message that waits was put; zero when there is none.
func (l *Lane) Oldest() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return time.Time{}
	}
	return l.queue[0].taken
}

// Flush releases, and waits until what it releases is sent or given up for now, or ctx ends. What comes meanwhile it does not wait for.
func (l *Lane) Flush(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.through = l.count
	l.notify()
	l.drain(ctx, max(distrust, l.credit))
}

// drain waits, with the lock released, until what waits now is settled, ctx ends, or nothing was answered soon for as long as limit says.
func (l *Lane) drain(ctx context.Context, limit time.Duration) {
	l.draining++
	defer func() { l.draining-- }()
	l.hurry()
	since, answers := time.Now(), l.answers
	enough := time.NewTimer(limit)
	defer enough.Stop()
	last, onward := l.count, false
	for waits := true; waits; {
		if l.idle(last) {
			if onward || l.flying == 0 {
				break
			}
			onward, last = true, l.queue[l.flying-1].number // a request has begun that a freeze would cut
			continue
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			waits = false
		case <-enough.C:
			waits = false
		}
		l.mu.Lock()
		if l.answers != answers {
			since, answers = time.Now(), l.answers
			enough.Reset(limit)
		}
	}
	l.credit = max(0, l.credit-time.Since(since))
}

// FlushLast is Flush at the end of everything: all that is kept is tried once more, whatever the backend did before.
func (l *Lane) FlushLast(ctx context.Context) {
	l.mu.Lock()
	if deadline, ok := ctx.Deadline(); ok {
		l.abortAfter(time.Until(deadline) / 2)
	}
	defer l.mu.Unlock()
	l.paused, l.holding = false, false
	l.notify()
	l.drain(ctx, patience)
}

// Held is the number of records that wait.
func (l *Lane) Held() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return records(l.queue)
}

// Stop ends the lane; what it still holds is dropped and counted.
func (l *Lane) Stop() {
	l.mu.Lock()
	if l.stopped {
		l.mu.Unlock()
		return
	}
	l.stopped = true
	l.hurry()
	if l.abort != nil {
		l.abort()
	}
	l.notify()
	l.mu.Unlock()
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally.Drop(AtShutdown, l.set.Signal, records(l.queue))
	l.queue, l.held, l.units = nil, 0, 0
}

// idle tells whether no item up to a number waits for more than a pause or a release.
func (l *Lane) idle(last int) bool {
	return len(l.queue) == 0 || l.queue[0].number > last || (l.flying == 0 && !l.ready())
}

// ready tells whether a request is to be made.
func (l *Lane) ready() bool { return len(l.queue) > 0 && !l.paused && l.released(l.queue[0]) }

func (l *Lane) released(item Item) bool { return !l.holding || item.number <= l.through }

func (l *Lane) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *Lane) abortAfter(grace time.Duration) {
	if l.flying == 0 {
		return
	}
	request, abort := l.request, l.abort
	go func() {
		ctx, cancel := WithRunningTime(context.Background(), grace)
		defer cancel()
		<-ctx.Done()
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.request == request && l.flying > 0 {
			l.aborted = true
			abort()
		}
	}()
}

// complain logs once per spell of failures: a backend that is down all day costs one line, not one per invocation.
func (l *Lane) complain(message string, fields ...zap.Field) {
	if !l.failing && !l.stopped {
		l.set.Logger.Warn(message, append(fields, zap.String("signal", l.set.Signal.String()))...)
	}
	l.failing = true
}

func records(items []Item) (n int) {
	for _, item := range items {
		n += item.Records
	}
	return n
}
