package delivery

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"
)

func TestAFullLaneKeepsWhatIsInARequestAndItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{delay: time.Second, outcomes: []Outcome{{}, {Verdict: Unreachable}}}
		l := lane(f, &tally, 6)
		defer l.Stop()
		for _, body := range []string{"a", "b", "c"} { // a flies alone, then b and c
			l.Put(Item{Body: []byte(body), Records: 1})
			synctest.Wait()
		}
		time.Sleep(1500 * time.Millisecond)
		for _, body := range []string{"d", "e", "f", "g", "h", "i"} {
			l.Put(Item{Body: []byte(body), Records: 1})
		}
		time.Sleep(time.Second)
		l.Resume(false)
		within(t, time.Minute, l.Flush)
		if got := strings.Join(f.got, ""); got != "abcfghi" || tally.DroppedBy(QueueFull).Spans != 2 || l.Held() != 0 {
			t.Errorf("got %q, dropped %d, held %d", got, tally.DroppedBy(QueueFull).Spans, l.Held())
		}
	})
}

// What the function's request costs while the backend hangs and the queue is full of small messages.
func BenchmarkPutIntoAFullLane(b *testing.B) {
	l := NewLane(Settings{Signal: pipeline.SignalTraces, Logger: zap.NewNop(), MaxHeld: 8 << 20, MaxRequest: 2 << 20, Retry: true,
		Send: func(ctx context.Context, _ [][]byte) Outcome {
			<-ctx.Done()
			return Outcome{Verdict: Cut, Err: ctx.Err()}
		}}, &Tally{})
	defer l.Stop()
	body := make([]byte, 200)
	for range 9 << 20 / len(body) {
		l.Put(Item{Body: body, Records: 1})
	}
	for b.Loop() {
		l.Put(Item{Body: body, Records: 1})
	}
}
