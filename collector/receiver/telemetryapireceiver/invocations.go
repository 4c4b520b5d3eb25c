package telemetryapireceiver

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

const remembered = 256 // invocations; log lines may come late

// invocation is what is known of one.
type invocation struct {
	id          string
	since       time.Time // of an attempt that is not the first with this id; what happened before is of the one before
	arn         string
	traceHeader string
	deadline    time.Time
	invoked     time.Time // INVOKE was read
	begin       time.Time // platform.start
	runMs       float64   // of the runtime
	cold        bool
	told        *announcement
	failure     *failure // it failed, and Lambda may yet say more
	settled     bool     // no span of ours is needed, or it is made
	done        bool     // runtimeDone is counted
}

// invocations are the last ones, the oldest first.
type invocations struct {
	list    []*invocation
	current string // the last that began
}

func (all *invocations) find(id string) *invocation {
	for n := len(all.list) - 1; n >= 0; n-- {
		if all.list[n].id == id {
			return all.list[n]
		}
	}
	return nil
}

func (all *invocations) get(id string) *invocation {
	if i := all.find(id); i != nil {
		return i
	}
	return all.add(&invocation{id: id})
}

func (all *invocations) add(i *invocation) *invocation {
	if len(all.list) >= remembered { // the oldest, but none whose failure may still need a span
		oldest := max(0, slices.IndexFunc(all.list, func(i *invocation) bool { return i.failure == nil }))
		all.list = slices.Delete(all.list, oldest, oldest+1)
	}
	all.list = append(all.list, i)
	return i
}

// again is the next attempt: Lambda tries an asynchronous invocation that failed a minute later, with the same id.
func (all *invocations) again(id string, now time.Time) *invocation {
	return all.add(&invocation{id: id, since: now.Add(-time.Second)}) // what Lambda tells of it may have happened before we hear of it
}

// at is the attempt to which an event of that time belongs.
func (all *invocations) at(id string, when time.Time) *invocation {
	for _, i := range slices.Backward(all.list) {
		if i.id == id && !when.Before(i.since) {
			return i
		}
	}
	return all.get(id)
}

// open tells whether one has neither ended nor failed.
func (all *invocations) open() bool {
	for _, i := range all.list {
		if !i.settled && i.failure == nil {
			return true
		}
	}
	return false
}

// context is where the invocation's span stands. sampled is false when nobody shall see it; own is true when nobody gave it a trace.
func (i *invocation) context() (trace pcommon.TraceID, span, parent pcommon.SpanID, sampled, own bool) {
	if i.told != nil {
		return i.told.trace, i.told.span, i.told.parent, i.told.sampled, false
	}
	if trace, parent, sampled, ok := xray(i.traceHeader); ok && sampled {
		return trace, pcommon.SpanID{}, parent, true, false
	}
	return trace, span, parent, true, true
}

// xray reads Root=1-5e1b4151-5ac6c58dc6e1b4151ab5ac6c;Parent=5ac6c58dc6e1b415;Sampled=1.
func xray(header string) (trace pcommon.TraceID, parent pcommon.SpanID, sampled, ok bool) {
	for part := range strings.SplitSeq(header, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "Root":
			if rest, found := strings.CutPrefix(value, "1-"); found {
				ok = fromHex(trace[:], strings.Replace(rest, "-", "", 1))
			}
		case "Parent":
			fromHex(parent[:], value)
		case "Sampled":
			sampled = value == "1"
		}
	}
	return trace, parent, sampled, ok && !parent.IsEmpty()
}

// fromHex fills an id; false when the text is not one.
func fromHex(id []byte, text string) bool {
	if len(text) != 2*len(id) {
		return false
	}
	if _, err := hex.Decode(id, []byte(text)); err != nil {
		clear(id)
		return false
	}
	for _, b := range id {
		if b != 0 {
			return true
		}
	}
	return false
}
