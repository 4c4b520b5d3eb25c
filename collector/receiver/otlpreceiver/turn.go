package otlpreceiver

import (
	"io"
	"time"
)

// turn lets one large message at a time be read and handed on: of several, each would need its memory at the same moment.
type turn struct {
	taken    chan struct{} // holds one element while somebody has the turn
	patience time.Duration
}

// A sender that stops in the middle of its message holds up other large ones for so long, each.
const patience = time.Second

func newTurn(patience time.Duration) turn { return turn{make(chan struct{}, 1), patience} }

// take waits for the turn and returns what gives it back. Who has waited too long goes on without it.
func (t turn) take() (giveBack func()) {
	late := time.NewTimer(t.patience)
	defer late.Stop()
	select {
	case t.taken <- struct{}{}:
		return func() { <-t.taken }
	case <-late.C:
		return func() {}
	}
}

// read returns the message of body, as readAll does, and what is to be called when it has been handed on.
func (r *otlpReceiver) read(body io.Reader, encoding string, length, limit int64) (message []byte, done func(), err error) {
	large := false
	done = func() {}
	message, err = readAll(body, encoding, length, limit, func() {
		if !large {
			large, done = true, r.turn.take()
		}
	})
	return message, done, err
}
