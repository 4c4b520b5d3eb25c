package telemetryapireceiver

import (
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// The announcement of an invocation, in docs/telemetry.md: one datagram, fields separated by a space, the name last.
const (
	announcementVariable = "OTEL_LAMBDA_ANNOUNCEMENT_PORT"
	defaultPort          = 4319
	announcementVersion  = "otel-lambda-1"
	largestAnnouncement  = 1024
)

// announcement is what a language layer says at the start of an invocation.
type announcement struct {
	request string
	trace   pcommon.TraceID
	span    pcommon.SpanID
	parent  pcommon.SpanID
	sampled bool
	start   time.Time
	trigger string
	name    string
}

// announcementPort is 0 when announcements are switched off.
func announcementPort(getenv func(string) string) int {
	if port, err := strconv.Atoi(getenv(announcementVariable)); err == nil && port >= 0 && port <= 65535 {
		return port
	}
	return defaultPort
}

func parseAnnouncement(datagram string) *announcement {
	parts := strings.SplitN(datagram, " ", 7)
	if len(parts) != 7 || parts[0] != announcementVersion || parts[1] == "" {
		return nil
	}
	a := &announcement{request: parts[1], name: parts[6]}
	if a.name = strings.ToValidUTF8(a.name, "?"); parts[5] != "-" {
		a.trigger = strings.ToValidUTF8(parts[5], "?")
	}
	context := strings.Split(parts[2], "-")
	if len(context) != 4 || !fromHex(a.trace[:], context[1]) || !fromHex(a.span[:], context[2]) {
		return nil
	}
	flags, err := strconv.ParseUint(context[3], 16, 8)
	start, wrong := strconv.ParseInt(parts[4], 10, 64)
	if err != nil || wrong != nil || (parts[3] != "-" && !fromHex(a.parent[:], parts[3])) {
		return nil
	}
	a.sampled, a.start = flags&1 == 1, time.Unix(0, start)
	return a
}

func (r *telemetryReceiver) announced(a *announcement) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.invocations.get(a.request)
	if i.told != nil && (i.done || i.settled) { // a single one may be heard after the end
		i = r.invocations.again(a.request, time.Now())
	}
	i.told = a
}
