package delivery

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// busy returns a lane whose last request carried many messages and ended at this moment, so that it gathers.
func busy(f *far, tally *Tally) *Lane {
	f.delay = time.Millisecond
	l := lane(f, tally, 10_000)
	for range crowd + 1 { // the first goes alone, the others together
		l.Put(Item{Body: []byte("x"), Records: 1})
		synctest.Wait()
	}
	time.Sleep(2 * time.Millisecond)
	synctest.Wait()
	return l
}

func TestUnderLoadMessagesGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{}
		l := busy(f, &tally)
		defer l.Stop()
		for range 4 {
			l.Put(Item{Body: []byte("y"), Records: 1})
			time.Sleep(gathering / 10)
			synctest.Wait()
		}
		if f.requests() != 2 {
			t.Errorf("%d requests while messages gather", f.requests())
		}
		time.Sleep(gathering)
		synctest.Wait()
		if f.requests() != 3 || tally.Sent.Counts().Spans != crowd+5 {
			t.Errorf("%d requests, sent %+v", f.requests(), tally.Sent.Counts())
		}
	})
}

func TestNobodyWaitsForAGathering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tally Tally
		f := &far{}
		l := busy(f, &tally)
		l.Put(Item{Body: []byte("y"), Records: 1})
		if waited := within(t, time.Second, l.Flush); waited != f.delay || tally.Sent.Counts().Spans != crowd+2 {
			t.Errorf("flushed after %s, sent %+v", waited, tally.Sent.Counts())
		}
		l.Stop()

		l = busy(f, &tally)
		before := f.requests()
		l.Put(Item{Body: make([]byte, 1000/4), Records: 1}) // much waits
		synctest.Wait()
		if f.requests() != before+1 {
			t.Errorf("%d requests, %d before", f.requests(), before)
		}
		within(t, time.Second, l.Flush)
		l.Stop()

		l = busy(f, &tally)
		stopped := within(t, time.Second, func(context.Context) { l.Stop() })
		if stopped != 0 {
			t.Errorf("stopped after %s", stopped)
		}
	})
}
