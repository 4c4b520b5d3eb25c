package delivery

import (
	"context"
	"sync"
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
