package delivery

import (
	"context"
	"errors"
	"time"
)

// ErrTimeout is the cause of a context that WithRunningTime ended.
var ErrTimeout = errors.New("timed out")

// WithRunningTime is context.WithTimeout for a process that gets frozen: only time in which the process ran counts. After a thaw
// an ordinary timer fires before the reply that waits in the socket is read, and an acknowledged request would be sent twice.
func WithRunningTime(parent context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	step := max(limit/40, time.Millisecond)
	go func() {
		ticker := time.NewTicker(step) // drops the ticks that nobody took, so a freeze counts as one
		defer ticker.Stop()
		for ran := time.Duration(0); ran < limit; ran += step {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
		cancel(ErrTimeout)
	}()
	return ctx, func() { cancel(context.Canceled) }
}
