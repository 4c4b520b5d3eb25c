package lambda

import (
	"slices"
	"sync"
)

// Ends knows which invocations the function is done with: Lambda says so (platform.runtimeDone, at least 25 ms late, since Lambda
// buffers), or the language layer with the last request of the invocation.
type Ends struct {
	mu      sync.Mutex
	waiting map[string]chan struct{} // by request id
	early   [16]string               // ended before our own INVOKE was read, or long over
	next    int
}

// Finish says that the function is done with the request. It may be said twice, early and late.
func (e *Ends) Finish(requestID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if done, ok := e.waiting[requestID]; ok {
		select {
		case <-done:
		default:
			close(done)
		}
		return
	}
	if !slices.Contains(e.early[:], requestID) {
		e.early[e.next%len(e.early)] = requestID
		e.next++
	}
}

// Done is closed once the function is done with the request.
func (e *Ends) Done(requestID string) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if done, ok := e.waiting[requestID]; ok {
		return done
	}
	done := make(chan struct{})
	if slices.Contains(e.early[:], requestID) {
		close(done)
	}
	if e.waiting == nil {
		e.waiting = map[string]chan struct{}{}
	}
	e.waiting[requestID] = done
	return done
}

// Forget ends the interest in a request.
func (e *Ends) Forget(requestID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.waiting, requestID)
}
