package app

import (
	"context"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/host"
)

// asked tells whether the account is wanted in a form: true (a line at the end), metrics. OTEL_LAMBDA_ACCOUNT lists them with commas.
func asked(form string) bool {
	for word := range strings.SplitSeq(os.Getenv("OTEL_LAMBDA_ACCOUNT"), ",") {
		if strings.EqualFold(strings.TrimSpace(word), form) {
			return true
		}
	}
	return false
}

// end flushes, closes and gives the account.
func (c *collector) end(h *host.Host, deadline time.Time, reason string) {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	for _, step := range []func() error{func() error { h.EnvironmentEnds(ctx, reason); return nil }, func() error { return h.Close(ctx) }} {
		if err := delivery.Safely(step); err != nil {
			c.logger.Warn("a component did not shut down", zap.Error(err))
		}
	}
	c.account(h.Tally(), reason)
}

// account tells what became of the records when some were dropped, and when somebody asks: a line in every environment costs money.
func (c *collector) account(t *delivery.Tally, reason string) {
	dropped := t.Dropped.Counts()
	say := c.logger.Debug
	switch {
	case dropped.Sum() > 0:
		say = c.logger.Warn
	case asked("true"):
		say = c.logger.Info
	}
	fields := []zap.Field{zap.Reflect("received", t.Received.Counts().Fields()), zap.Reflect("sent", t.Sent.Counts().Fields()), zap.Reflect("dropped", dropped.Fields())}
	why := map[string]any{}
	for _, r := range delivery.Reasons {
		if n := t.DroppedBy(r); n.Sum() > 0 {
			why[string(r)] = n.Fields()
		}
	}
	if len(why) > 0 {
		fields = append(fields, zap.Reflect("why", why))
	}
	if retried := t.Retried.Counts(); retried.Sum() > 0 {
		fields = append(fields, zap.Reflect("retried", retried.Fields()))
	}
	if resent := t.Resent.Counts(); resent.Sum() > 0 { // what a backend may have twice
		fields = append(fields, zap.Reflect("resent", resent.Fields()))
	}
	say("shutdown", append(fields, zap.String("reason", reason))...)
}
