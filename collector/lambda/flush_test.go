package lambda

import (
	"strings"
	"testing"
	"time"
)

func TestFlushFromEnvironment(t *testing.T) {
	for text, want := range map[string]Flush{
		"":               {Auto, 20 * time.Second, 2 * time.Second},
		" Auto ":         {Auto, 20 * time.Second, 2 * time.Second},
		"end":            {End, 20 * time.Second, 2 * time.Second},
		"end|500":        {End, 20 * time.Second, 500 * time.Millisecond},
		"end|1s":         {End, 20 * time.Second, time.Second},
		"end|90000":      {End, 20 * time.Second, 2 * time.Second},
		"periodic":       {Periodic, 20 * time.Second, 2 * time.Second},
		"periodic,60000": {Periodic, time.Minute, 2 * time.Second},
		"periodic, 5s":   {Periodic, 5 * time.Second, 2 * time.Second},
		"shutdown":       {AtShutdown, 20 * time.Second, 2 * time.Second},
		"!never":         {Auto, 20 * time.Second, 2 * time.Second},
		"!end,5":         {Auto, 20 * time.Second, 2 * time.Second},
		"!,5":            {Auto, 20 * time.Second, 2 * time.Second},
		"!periodic,":     {Periodic, 20 * time.Second, 2 * time.Second},
		"!periodic,-5":   {Periodic, 20 * time.Second, 2 * time.Second},
		"!periodic,5,6":  {Periodic, 20 * time.Second, 2 * time.Second},
		"!end|soon":      {End, 20 * time.Second, 2 * time.Second},
		"!shutdown|0":    {AtShutdown, 20 * time.Second, 2 * time.Second},
	} {
		bad := strings.HasPrefix(text, "!")
		policy, timeout, _ := strings.Cut(strings.TrimPrefix(text, "!"), "|")
		got, complaints := FlushFromEnvironment(func(name string) string {
			return map[string]string{"OTEL_LAMBDA_FLUSH": policy, "OTEL_LAMBDA_FLUSH_TIMEOUT": timeout}[name]
		})
		if got != want || (len(complaints) == 1) != bad {
			t.Errorf("%q: %+v %q", text, got, complaints)
		}
	}
}

func TestPace(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	at := start
	p := pace{Flush: Flush{Policy: Auto, MaxAge: defaultAge}}
	for i := range 20 {
		if hold, _ := p.begin(at, time.Time{}); hold {
			t.Fatalf("invocation %d is not flushed at its end", i+1)
		}
		at = at.Add(time.Second)
	}
	for _, c := range []struct {
		after      time.Duration
		overlapped bool
	}{{time.Second, true}, {rare, true}, {rare + time.Second, false}, {time.Second, true}} {
		at = at.Add(c.after)
		if hold, release := p.begin(at, time.Time{}); hold != c.overlapped || release != c.overlapped {
			t.Errorf("%s after the one before: hold %t, release %t", c.after, hold, release)
		}
	}
	if p.old(at, at.Add(-19*time.Second)) || !p.old(at, at.Add(-20*time.Second)) || p.old(at, time.Time{}) {
		t.Error("what is old is misjudged")
	}
	for policy, want := range map[Policy][2]bool{End: {false, false}, Periodic: {true, true}, AtShutdown: {true, false}} {
		p := pace{Flush: Flush{Policy: policy, MaxAge: defaultAge}}
		if hold, release := p.begin(at, at.Add(-time.Minute)); [2]bool{hold, release} != want {
			t.Errorf("%s: hold %t, release %t", policy, hold, release)
		}
	}
	if hold, release := (&pace{Flush: Flush{Policy: Periodic, MaxAge: defaultAge}}).begin(at, at.Add(-time.Second)); !hold || release {
		t.Error("what is young is sent")
	}
}
