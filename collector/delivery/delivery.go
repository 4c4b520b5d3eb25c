// Package delivery holds what components and the host must agree on so that nothing is lost across freezes:
// the counts of records, and how data that waits is sent, kept and given up.
package delivery

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/component"
)

// Flusher is a component that holds data back. The host finds it by this interface; stock components need not have it.
type Flusher interface {
	// Resume says that an invocation begins: what was kept may be tried again. After an idle spell (a freeze, most likely)
	// old connections are not to be trusted.
	Resume(idle bool)
	// Flush returns when everything held is delivered or given up for now, or when ctx ends; what is left is kept.
	Flush(ctx context.Context)
	// FlushLast is Flush before the environment ends.
	FlushLast(ctx context.Context)
	// Held is the number of records that still wait, by signal.
	Held() Counts
}

// Holder is a Flusher that can wait with sending until it is told: what is sent just before a freeze would be cut.
type Holder interface {
	Flusher
	// Hold keeps data until Release or a flush, or until it takes half of the memory that it may; off is to send it as it comes.
	Hold(on bool)
	// Release sends what waits now, beside whatever runs.
	Release()
	// Oldest is the wall time at which the oldest data that waits was taken; zero when none waits.
	Oldest() time.Time
}

// Direct is an exporter that deals with data at once, and counts for itself what it does not deliver: nothing need wait in front of it.
type Direct interface{ Direct() }

// Accountant is a host that counts records.
type Accountant interface {
	component.Host
	Tally() *Tally
}

// TallyOf returns the host's tally, or one that nobody reads when the component runs in a foreign host.
func TallyOf(host component.Host) *Tally {
	if a, ok := host.(Accountant); ok {
		return a.Tally()
	}
	return &Tally{}
}

// ErrUnauthorized is in an exporter's error when its backend does not take the credentials.
var ErrUnauthorized = errors.New("unauthorized")

// Refresher is a host that can fetch again the secrets from which a component's configuration was made: an exporter asks for that
// when its backend answers 401. It must return soon (ctx has a time-out) and may be called at once from several goroutines.
type Refresher interface {
	// Refresh decodes the component's section anew, with secrets fetched again; the result has the type of its configuration.
	Refresh(ctx context.Context, section string, id component.ID) (component.Config, error)
}
