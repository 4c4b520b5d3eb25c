package lambda

import (
	"slices"
	"sync"
)

// Ends knows which invocations the function is done with: Lambda says so (platform.runtimeDone, at least 25 ms late, since Lambda
// buffers), or the language layer with the last request of the invocation.
type Ends struct {
	mu      sync.Mutex
	waiting map[string]*end // by request id
	early   words           // said before our own INVOKE was read, or long over
	late    words           // still to be said of what is over: an asynchronous retry has the request id of the attempt before
}

// end is an invocation that is waited for.
type end struct {
	done  chan struct{} // closed by the first word
	heard []string      // who has said it
}

// Who says that the function is done.
const (
	byLayer  = "layer "
	byLambda = "lambda "
)

// Finish is the language layer's word that the function is done with the request. It may be said twice, early and late.
func (e *Ends) Finish(requestID string) { e.say(byLayer, requestID) }

// RuntimeDone is Lambda's word. It may be said twice, early and late.
func (e *Ends) RuntimeDone(requestID string) { e.say(byLambda, requestID) }

// Lost says that words of Lambda's are lost: nobody waits for one that never comes, up to the function's deadline.
func (e *Ends) Lost() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, waited := range e.waiting {
		waited.hear(byLambda)
	}
}

func (e *Ends) say(who, requestID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if waited, ok := e.waiting[requestID]; ok {
		waited.hear(who)
	} else if !e.late.take(who + requestID) {
		e.early.add(who + requestID)
	}
}

func (w *end) hear(who string) {
	if len(w.heard) == 0 {
		close(w.done)
	}
	w.heard = append(w.heard, who)
}

// Done is closed once the function is done with the request.
func (e *Ends) Done(requestID string) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if waited, ok := e.waiting[requestID]; ok {
		return waited.done
	}
	waited := &end{done: make(chan struct{})}
	for _, who := range []string{byLayer, byLambda} {
		if e.early.take(who + requestID) {
			waited.hear(who)
		}
	}
	if e.waiting == nil {
		e.waiting = map[string]*end{}
	}
	e.waiting[requestID] = waited
	return waited.done
}

// Forget ends the interest in a request.
func (e *Ends) Forget(requestID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	waited, ok := e.waiting[requestID]
	if !ok {
		return
	}
	delete(e.waiting, requestID)
	for _, who := range []string{byLayer, byLambda} {
		if len(waited.heard) > 0 && !slices.Contains(waited.heard, who) {
			e.late.add(who + requestID)
		}
	}
}

// words are the last ones of many.
type words struct {
	list [16]string
	next int
}

func (w *words) add(word string) {
	if !slices.Contains(w.list[:], word) {
		w.list[w.next%len(w.list)] = word
		w.next++
	}
}

// take removes a word; it tells whether it was there.
func (w *words) take(word string) bool {
	i := slices.Index(w.list[:], word)
	if i >= 0 {
		w.list[i] = ""
	}
	return i >= 0
}
