package delivery

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"
)

// Load is data that a Stage keeps: of any type that its Deliver knows.
type Load struct {
	Data    any
	Records int
	Bytes   int // about; what the memory is bounded by

	number int
	taken  time.Time // wall time
}

// StageSettings of a stage.
type StageSettings struct {
	Signal   pipeline.Signal
	Deliver  func(ctx context.Context, loads []Load) error // hands loads on to the next consumer
	Logger   *zap.Logger
	Size     int           // records that are worth handing on before the time-out
	Timeout  time.Duration // then what waits is handed on, whatever its size; 0 is at once
	MaxLoads int           // loads kept; when more, the oldest go; 0 is any number
	MaxBytes int           // bytes kept; when more, the oldest go
	Single   bool          // loads are handed on one by one
}

// Stage keeps data in front of a consumer that may be slow, and hands it on from a goroutine of its own. It is a Holder.
type Stage struct {
	set   StageSettings
	tally *Tally

	mu      sync.Mutex
	queue   []Load
	records int
	bytes   int
	flying  int // records that are being handed on
	front   int // number of the first load of these
	count   int // number of the newest load
	through int // loads up to this number are handed on whatever else
	holding bool
	stopped bool
	changed chan struct{} // closed and replaced at every change of the state above
}

var _ Holder = (*Stage)(nil)

// NewStage starts a stage.
func NewStage(set StageSettings, tally *Tally) *Stage {
	s := &Stage{set: set, tally: tally, changed: make(chan struct{})}
	go s.run()
	return s
}

// Put keeps a load.
func (s *Stage) Put(load Load) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		s.tally.Drop(AtShutdown, s.set.Signal, load.Records)
		return
	}
	s.count++
	load.number, load.taken = s.count, time.Now().Round(0)
	s.queue = append(s.queue, load)
	s.records, s.bytes = s.records+load.Records, s.bytes+load.Bytes
	dropped := 0
	for len(s.queue) > 1 && (s.bytes > s.set.MaxBytes || (s.set.MaxLoads > 0 && len(s.queue) > s.set.MaxLoads)) {
		dropped += s.pop(1)[0].Records
	}
	if dropped > 0 {
		s.tally.Drop(QueueFull, s.set.Signal, dropped)
		s.set.Logger.Warn("queue is full, the oldest records are dropped", zap.Int("dropped", dropped), zap.String("signal", s.set.Signal.String()))
	}
	if s.bytes > s.set.MaxBytes/2 || (s.set.MaxLoads > 0 && len(s.queue) > s.set.MaxLoads/2) {
		s.through = s.count
	}
	s.notify()
}

// Resume has nothing to do: a stage tries nothing again.
func (*Stage) Resume(bool) {}

// Hold holds, or hands on as usual.
func (s *Stage) Hold(on bool) { s.change(func() { s.holding = on }) }

// Release hands on what waits now, without waiting.
func (s *Stage) Release() { s.change(func() { s.through = s.count }) }

// Oldest is the wall time at which the oldest load that waits was put; zero when there is none.
func (s *Stage) Oldest() (oldest time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) > 0 {
		oldest = s.queue[0].taken
	}
	return oldest
}

// Flush hands on everything, and waits until the next consumer has it, or ctx ends. What comes meanwhile it does not wait for.
func (s *Stage) Flush(ctx context.Context) {
	s.Release()
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.count
	for (s.flying > 0 && s.front <= last) || (len(s.queue) > 0 && s.queue[0].number <= last) {
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if ctx.Err() != nil {
			return
		}
	}
}

// FlushLast is Flush.
func (s *Stage) FlushLast(ctx context.Context) { s.Flush(ctx) }

// Held is the number of records that wait or are being handed on.
func (s *Stage) Held() (held Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held.Add(s.set.Signal, int64(s.records+s.flying))
	return held
}

// Stop ends the stage; what it still keeps is dropped and counted. What is being handed on is the next consumer's.
func (s *Stage) Stop() {
	s.change(func() {
		s.stopped = true
		s.tally.Drop(AtShutdown, s.set.Signal, s.records)
		s.pop(len(s.queue))
	})
}

func (s *Stage) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	s.notify()
}

func (s *Stage) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// pop removes loads from the front.
func (s *Stage) pop(n int) []Load {
	front := slices.Clone(s.queue[:n])
	clear(s.queue[:n])
	s.queue = s.queue[n:]
	for _, load := range front {
		s.records, s.bytes = s.records-load.Records, s.bytes-load.Bytes
	}
	return front
}

func (s *Stage) run() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.stopped {
		due, wait := s.due()
		if !due {
			s.wait(wait)
			continue
		}
		n := len(s.queue)
		if s.set.Single {
			n = 1
		}
		before := s.records
		loads := s.pop(n)
		s.flying, s.front = before-s.records, loads[0].number
		s.mu.Unlock()
		err := Safely(func() error { return s.set.Deliver(context.Background(), loads) })
		s.mu.Lock()
		if err != nil {
			s.tally.Drop(Failed, s.set.Signal, s.flying)
			s.set.Logger.Warn("the next component did not take records, they are dropped", zap.Int("dropped", s.flying), zap.String("signal", s.set.Signal.String()), zap.Error(err))
		}
		s.flying = 0
		s.notify()
	}
}

// due tells whether to hand on now, or after how long (0: only when something changes).
func (s *Stage) due() (bool, time.Duration) {
	switch {
	case len(s.queue) == 0:
		return false, 0
	case s.queue[0].number <= s.through:
		return true, 0
	case s.holding:
		return false, 0
	case s.records >= s.set.Size:
		return true, 0
	}
	left := s.set.Timeout - time.Now().Round(0).Sub(s.queue[0].taken)
	return left <= 0, left
}

// wait releases the lock until something changes or the time is over.
func (s *Stage) wait(limit time.Duration) {
	changed := s.changed
	var over <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		over = timer.C
	}
	s.mu.Unlock()
	select {
	case <-changed:
	case <-over:
	}
	s.mu.Lock()
}
