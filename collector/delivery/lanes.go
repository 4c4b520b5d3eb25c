package delivery

import (
	"context"
	"sync"
	"time"
)

// Lanes are the lanes of one exporter; as one Flusher.
type Lanes []*Lane

// Resume resumes every lane.
func (ls Lanes) Resume(idle bool) {
	for _, l := range ls {
		l.Resume(idle)
	}
}

// Flush flushes the lanes at once.
func (ls Lanes) Flush(ctx context.Context) { ls.each(func(l *Lane) { l.Flush(ctx) }) }

// FlushLast flushes the lanes at once, for the last time.
func (ls Lanes) FlushLast(ctx context.Context) { ls.each(func(l *Lane) { l.FlushLast(ctx) }) }

// Hold holds or lets go every lane.
func (ls Lanes) Hold(on bool) {
	for _, l := range ls {
		l.Hold(on)
	}
}

// Release releases every lane.
func (ls Lanes) Release() {
	for _, l := range ls {
		l.Release()
	}
}

// Oldest is the wall time at which the oldest message that waits was put; zero when there is none.
func (ls Lanes) Oldest() (oldest time.Time) {
	for _, l := range ls {
		oldest = Older(oldest, l.Oldest())
	}
	return oldest
}

// Older is the earlier of two times, of which either may be zero.
func Older(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// Held is the number of records that wait, by signal.
func (ls Lanes) Held() (held Counts) {
	for _, l := range ls {
		held.Add(l.set.Signal, int64(l.Held()))
	}
	return held
}

// Stop stops every lane.
func (ls Lanes) Stop() { ls.each((*Lane).Stop) }

func (ls Lanes) each(do func(*Lane)) {
	var group sync.WaitGroup
	for _, l := range ls {
		group.Go(func() { do(l) })
	}
	group.Wait()
}
