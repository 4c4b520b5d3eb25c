package lambda

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Policy says when data that waits is delivered.
type Policy string

// The policies.
const (
	Auto       Policy = "auto"     // like End while invocations are few or rare, else beside the next handler
	End        Policy = "end"      // beside the handler, and the rest before each invocation ends
	Periodic   Policy = "periodic" // once the oldest is older than an interval
	AtShutdown Policy = "shutdown" // at SHUTDOWN, or when half of the memory is used
)

const (
	adapt      = 20                // invocations that Auto always flushes at their ends
	rare       = 120 * time.Second // invocations further apart are flushed at their ends
	defaultAge = 20 * time.Second
)

// Flush is how and how long data is flushed.
type Flush struct {
	Policy Policy
	MaxAge time.Duration // data that is older, while the environment runs, is sent
	Wait   time.Duration // longest wait at the end of an invocation
}

// FlushFromEnvironment reads OTEL_LAMBDA_FLUSH and OTEL_LAMBDA_FLUSH_TIMEOUT; bad names the variables whose defaults are used instead.
func FlushFromEnvironment(getenv func(string) string) (f Flush, bad []string) {
	f = Flush{Policy: Auto, MaxAge: defaultAge, Wait: patience}
	text := strings.TrimSpace(getenv("OTEL_LAMBDA_FLUSH"))
	name, age, aged := strings.Cut(text, ",")
	switch policy := Policy(strings.ToLower(strings.TrimSpace(name))); {
	case policy == "" && !aged:
	case policy == Periodic && aged:
		interval, err := duration(age)
		if err != nil {
			bad = append(bad, fmt.Sprintf("OTEL_LAMBDA_FLUSH=%s is not periodic,MILLISECONDS: periodic,%d is used", text, defaultAge.Milliseconds()))
			interval = defaultAge
		}
		f.Policy, f.MaxAge = Periodic, interval
	case !aged && (policy == Auto || policy == End || policy == Periodic || policy == AtShutdown):
		f.Policy = policy
	default:
		bad = append(bad, fmt.Sprintf("OTEL_LAMBDA_FLUSH=%s is none of auto, end, periodic, periodic,MILLISECONDS and shutdown: auto is used", text))
	}
	if text := strings.TrimSpace(getenv("OTEL_LAMBDA_FLUSH_TIMEOUT")); text != "" {
		wait, err := duration(text)
		if err != nil {
			bad = append(bad, fmt.Sprintf("OTEL_LAMBDA_FLUSH_TIMEOUT=%s is not a number of milliseconds: %d is used", text, patience.Milliseconds()))
		} else {
			f.Wait = min(wait, patience)
		}
	}
	return f, bad
}

// duration reads milliseconds, or a number with its unit (20s, 1m).
func duration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if ms, err := strconv.ParseInt(text, 10, 32); err == nil && ms > 0 {
		return time.Duration(ms) * time.Millisecond, nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%s is not more than 0", text)
	}
	return d, err
}

// pace applies the policy to the invocations of one environment.
type pace struct {
	Flush
	invocations int
	last        time.Time // wall time at which the one before began
}

// begin says for the invocation that begins whether data is held beyond its end, and whether what was held is sent now.
func (p *pace) begin(at, oldest time.Time) (hold, release bool) {
	p.invocations++
	gap := at.Sub(p.last)
	p.last = at
	switch p.Policy {
	case Auto:
		hold = p.invocations > adapt && gap <= rare
		return hold, hold
	case End:
		return false, false
	default:
		return true, p.old(at, oldest)
	}
}

// old tells whether data is to be sent because of its age.
func (p *pace) old(at, oldest time.Time) bool {
	return p.Policy != AtShutdown && !oldest.IsZero() && at.Sub(oldest) >= p.MaxAge
}
