package app

import (
	"sync"
	"time"

	"go.uber.org/zap/zapcore"
)

const (
	calmSpell = time.Minute // the same warning or error is written at most once in so long
	calmMost  = 200         // messages remembered
)

// calm keeps what repeats itself out of the log: each line costs the user money.
type calm struct {
	mu   sync.Mutex
	seen map[string]*spell // by level, component and message
}

type spell struct {
	began      time.Time // wall time, which goes on in a freeze
	suppressed int
}

// may tells whether the record is written, and how many like it were not since the last one that was.
func (c *calm) may(entry zapcore.Entry, fields []zapcore.Field) (suppressed int, write bool) {
	key := entry.Level.String() + entry.Message
	for _, f := range fields {
		key += f.Key + f.String
	}
	at := entry.Time.Round(0)
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.seen[key]
	if known != nil && at.Sub(known.began) < calmSpell && !at.Before(known.began) {
		known.suppressed++
		return 0, false
	}
	if known != nil {
		suppressed = known.suppressed
	} else if len(c.seen) >= calmMost {
		clear(c.seen)
	}
	c.seen[key] = &spell{began: at}
	return suppressed, true
}
