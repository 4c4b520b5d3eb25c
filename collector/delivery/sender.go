package delivery

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	firstPause = time.Second
	longPause  = 30 * time.Second
	believable = 10 * time.Minute // longest pause that a backend may ask for
	gathering  = 5 * time.Millisecond
	crowd      = 4 // messages in a request that are a sign of load
)

func (l *Lane) run() {
	defer close(l.done)
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.stopped {
		if !l.ready() {
			l.wait()
			continue
		}
		bodies := l.take()
		ctx, cancel := context.WithCancel(context.Background())
		l.abort, l.aborted = cancel, false
		l.request++
		l.began, l.frozen = time.Now(), false
		l.mu.Unlock()
		outcome := l.send(ctx, bodies)
		cancel()
		l.mu.Lock()
		n := l.flying
		l.flying, l.abort = 0, nil
		// What a rest interrupted says nothing about the backend, and a broken connection is no answer.
		if !l.frozen && time.Since(l.began) < soon && outcome.Verdict != Cut {
			l.answers++
			l.credit = patience
		}
		l.settle(outcome, n)
		l.notify()
		if n >= crowd && outcome.Verdict == Delivered {
			l.gather()
		}
	}
}

// gather lets more messages come before the next request when the last one carried many: under load a few large requests cost less
// than many small ones. Who waits for the lane, or much that waits in it, ends it.
func (l *Lane) gather() {
	enough := time.NewTimer(gathering)
	defer enough.Stop()
	for l.draining == 0 && !l.stopped && l.held < l.set.MaxRequest/4 {
		l.gathers = make(chan struct{})
		hurry := l.gathers
		l.mu.Unlock()
		select {
		case <-hurry:
			l.mu.Lock()
		case <-enough.C:
			l.mu.Lock()
			l.gathers = nil
			return
		}
	}
	l.gathers = nil
}

// hurry ends a gathering.
func (l *Lane) hurry() {
	if l.gathers != nil {
		close(l.gathers)
		l.gathers = nil
	}
}

// send makes a refusal of a panic, so that a message which the exporter trips over is dropped and counted.
func (l *Lane) send(ctx context.Context, bodies [][]byte) (outcome Outcome) {
	if err := Safely(func() error { outcome = l.set.Send(ctx, bodies); return nil }); err != nil {
		return Outcome{Verdict: Refused, Err: err}
	}
	return outcome
}

// wait releases the lock until something changes or the pause is over.
func (l *Lane) wait() {
	changed := l.changed
	var over <-chan time.Time
	if l.paused {
		timer := time.NewTimer(time.Until(l.until))
		defer timer.Stop()
		over = timer.C
	}
	l.mu.Unlock()
	select {
	case <-changed:
		l.mu.Lock()
	case <-over:
		l.mu.Lock()
		l.paused = false
	}
}

// take marks the front of the queue as flying and returns its bodies.
func (l *Lane) take() [][]byte {
	var bodies [][]byte
	size := 0
	for i, item := range l.queue {
		size += len(item.Body)
		if i > 0 && (item.alone || l.queue[0].alone || size > l.set.MaxRequest || !l.released(item)) {
			break
		}
		if item.cut {
			l.tally.Resent.Add(l.set.Signal, item.Records)
		}
		if item.tried {
			l.tally.Retried.Add(l.set.Signal, item.Records)
		}
		l.queue[i].tried = true
		bodies = append(bodies, item.Body)
	}
	l.flying = len(bodies)
	return bodies
}

func (l *Lane) settle(outcome Outcome, n int) {
	batch := l.queue[:n]
	count := records(batch)
	l.tally.Resent.Add(l.set.Signal, outcome.Repeats*count)
	switch {
	case outcome.Verdict == Delivered:
		rejected := min(outcome.Rejected, count)
		l.tally.Sent.Add(l.set.Signal, count-rejected)
		if rejected > 0 {
			l.tally.Drop(Rejected, l.set.Signal, rejected)
			l.complain("backend rejected a part of the records", zap.Int("dropped", rejected), zap.Error(outcome.Err))
		} else {
			l.failing = false
		}
		l.open, l.probing, l.refused, l.fails = false, false, 0, 0
		l.forget(n)
	case outcome.Verdict == Refused && n > 1 && !l.probing:
		for i := range batch {
			batch[i].alone = true
		}
	case outcome.Verdict == Refused || outcome.Verdict == Denied:
		l.tally.Drop(Refusal, l.set.Signal, count)
		l.complain("backend refused records, they are dropped", zap.Int("dropped", count), zap.Error(outcome.Err))
		l.forget(n)
		if l.refused++; l.probing || outcome.Verdict == Denied || l.refused >= hopeless {
			l.trip()
		}
	case !l.set.Retry:
		l.tally.Drop(Refusal, l.set.Signal, count)
		l.complain("backend does not take records, they are dropped", zap.Int("dropped", count), zap.Error(outcome.Err))
		l.forget(n)
	default:
		l.keep(batch, outcome)
	}
}

// trip opens the circuit: what waits is dropped, and what comes, until a probe is delivered.
func (l *Lane) trip() {
	l.tally.Drop(CircuitOff, l.set.Signal, records(l.queue))
	l.queue, l.held, l.units = nil, 0, 0
	l.fails++
	l.open, l.probing, l.until = true, false, time.Now().Round(0).Add(l.pause())
}

// probe lets the next request through an open circuit, once its pause is over.
func (l *Lane) probe() {
	if l.open && !time.Now().Before(l.until) {
		l.probing = true
	}
}

func (l *Lane) pause() time.Duration {
	if l.set.Pause != nil {
		return l.set.Pause(l.fails)
	}
	return min(firstPause<<min(l.fails-1, 10), longPause)
}

// keep pauses the lane with its batch at the front.
func (l *Lane) keep(batch []Item, outcome Outcome) {
	for i := range batch {
		batch[i].cut = outcome.Verdict == Cut || (batch[i].cut && outcome.Verdict == Unreachable)
	}
	if l.aborted {
		return // the connection was given up, not the backend: try at once
	}
	l.complain("backend does not take records, they are kept and sent later", zap.Int("kept", records(batch)), zap.Error(outcome.Err))
	l.fails++
	pause, asked := l.pause(), min(outcome.RetryAfter, believable)
	now := time.Now().Round(0) // without the monotonic clock, which may stand still in a freeze
	l.paused, l.until, l.resumes = true, now.Add(max(pause, asked)), now.Add(asked)
	if outcome.Verdict == Busy && l.fails > 1 {
		l.resumes = l.until // a backend that answers "not now" again and again is not asked at every invocation
	}
	l.expire(now)
	l.makeRoom()
}

// expire drops what is too old to be tried again.
func (l *Lane) expire(now time.Time) {
	n, dropped := 0, 0
	for ; l.set.MaxAge > 0 && n < len(l.queue) && now.Sub(l.queue[n].taken) > l.set.MaxAge; n++ {
		dropped += l.queue[n].Records
	}
	l.tally.Drop(Expired, l.set.Signal, dropped)
	l.forget(n)
}

// makeRoom drops the oldest items that are not in a request.
func (l *Lane) makeRoom() {
	n, dropped := 0, 0
	for rest := l.queue[l.flying:]; l.full() && n < len(rest); n++ {
		l.weigh(rest[n], -1)
		dropped += rest[n].Records
	}
	if n > 0 {
		copy(l.queue[n:], l.queue[:l.flying]) // what flies moves, it is less than what waits
		clear(l.queue[:n])
		l.queue = l.queue[n:]
		l.tally.Drop(QueueFull, l.set.Signal, dropped)
		l.complain("queue is full, the oldest records are dropped", zap.Int("dropped", dropped))
	}
}

// forget removes items that are settled.
func (l *Lane) forget(n int) {
	for _, item := range l.queue[:n] {
		l.weigh(item, -1)
	}
	clear(l.queue[:n])
	if l.queue = l.queue[n:]; len(l.queue) == 0 {
		l.queue = nil
	}
}

// weigh adds an item to what is held, or with -1 takes it away.
func (l *Lane) weigh(item Item, sign int) {
	l.held += sign * len(item.Body)
	if l.set.MaxUnits > 0 {
		l.units += sign * l.set.Units(item)
	}
}

func (l *Lane) full() bool {
	return l.held > l.set.MaxHeld || (l.set.MaxUnits > 0 && l.units > l.set.MaxUnits)
}
