package lambda

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/keydoc"
)

// cell is the time that one character of a picture stands for; in a freeze a character stands for any time.
const cell = 100 * time.Millisecond

// collector is one lane whose requests take one cell, driven by the extension as the host is.
type collector struct {
	delivery.Lanes
}

func (collector) InvocationBegan(delivery.Invocation) {}

// picture runs invocations of a handler under a policy, on a fake clock, and draws what happens: two messages come from each, one
// while its handler runs and one at its end.
func picture(t *testing.T, policy string, before int, freezes ...time.Duration) (drawn string) {
	synctest.Test(t, func(t *testing.T) {
		var sending atomic.Bool
		send := func(context.Context, [][]byte) delivery.Outcome {
			sending.Store(true)
			time.Sleep(cell)
			sending.Store(false)
			return delivery.Outcome{}
		}
		lane := delivery.NewLane(delivery.Settings{Signal: pipeline.SignalTraces, Send: send, Logger: zap.NewNop(), MaxHeld: 1000, MaxRequest: 1000}, &delivery.Tally{})
		c := collector{delivery.Lanes{lane}}
		flush, _ := FlushFromEnvironment(func(name string) string { return map[string]string{"OTEL_LAMBDA_FLUSH": policy}[name] })
		e := &Extension{Ends: &Ends{}, Telemetry: &Telemetry{}, Logger: zap.NewNop(), Flush: flush, rested: now()}
		e.pace = pace{Flush: flush, invocations: before, last: now()}
		draw := func(idle string) {
			time.Sleep(cell / 2)
			synctest.Wait()
			if sending.Load() {
				idle = "s"
			}
			drawn += idle
			time.Sleep(cell / 2)
			synctest.Wait()
		}
		for i, freeze := range freezes {
			id, over := fmt.Sprint(i), make(chan struct{})
			go func() {
				e.invocation(t.Context(), Event{RequestID: id, DeadlineMs: now().Add(time.Minute).UnixMilli()}, c)
				close(over)
			}()
			drawn += "|"
			for n := range 4 {
				if n == 1 {
					lane.Put(delivery.Item{Body: []byte("middle"), Records: 1})
				}
				draw("#")
			}
			lane.Put(delivery.Item{Body: []byte("end"), Records: 1})
			e.Ends.Finish(id)
			drawn += "|"
			for waiting := true; waiting; {
				synctest.Wait()
				select {
				case <-over:
					waiting = false
				default:
					draw("-")
				}
			}
			e.rested = now()
			drawn = strings.TrimSuffix(drawn, "|") + "|~~~"
			if sending.Load() {
				t.Error("a request is open when the environment may be frozen")
			}
			time.Sleep(freeze)
		}
		drawn += "|"
		if lane.Held() > 0 {
			over := make(chan struct{})
			go func() { lane.FlushLast(t.Context()); close(over) }()
			drawn += "SHUTDOWN "
			for lane.Held() > 0 {
				draw("-")
			}
			<-over
			drawn += "|"
		}
		lane.Stop()
	})
	return drawn
}

func TestThePicturesOfThePoliciesAreWhatHappens(t *testing.T) {
	keydoc.Check(t, "../../docs/collector.md", "pictures", func() (string, error) { return pictures(t), nil })
}

func pictures(t *testing.T) string {
	second := time.Second
	var block strings.Builder
	block.WriteString("\n")
	for _, p := range []struct {
		name, policy string
		before       int
		freezes      []time.Duration
	}{
		{"end", "end", adapt, []time.Duration{second, second, second}},
		{"auto, an environment's first 20 invocations", "auto", 0, []time.Duration{second, second, second}},
		{"auto, later", "auto", adapt, []time.Duration{second, second, second}},
		{"auto, then a rest of more than 120 s", "auto", adapt, []time.Duration{second, rare + second, second}},
		{"periodic, invocations 10 s apart", "periodic", adapt, []time.Duration{10 * second, 10 * second, second}},
		{"shutdown", "shutdown", adapt, []time.Duration{second, second, second}},
	} {
		fmt.Fprintf(&block, "    %-45s %s\n", p.name, picture(t, p.policy, p.before, p.freezes...))
	}
	return block.String() + "\n"
}
