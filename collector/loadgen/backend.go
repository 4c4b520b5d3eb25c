package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/open-telemetry/opentelemetry-lambda/collector/wire"
)

// backend counts the spans that arrive; with a rate it answers only when that many may have been taken.
type backend struct {
	mu                     sync.Mutex
	rate                   int
	free                   time.Time     // when it may take more
	opened                 chan struct{} // closed when it takes all
	spans, requests, bytes int
}

func (b *backend) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	n, size, err := read(q)
	select {
	case <-time.After(b.pause(n)):
	case <-b.opened:
	}
	b.mu.Lock()
	b.requests++
	b.bytes += size
	b.spans += n
	b.mu.Unlock()
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case q.URL.Path == grpcPath:
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(make([]byte, 5)) // the empty message
		w.Header().Set("Grpc-Status", "0")
	}
}

// read returns the number of spans in a request, and its size.
func read(q *http.Request) (spans, size int, err error) {
	body, err := io.ReadAll(q.Body)
	size = len(body)
	compressed := q.Header.Get("Content-Encoding") == "gzip"
	if q.URL.Path == grpcPath {
		if size < 5 {
			return 0, size, fmt.Errorf("a message of %d bytes", size)
		}
		compressed = body[0] == 1
		body = body[5:]
	}
	if err == nil && compressed {
		var plain *gzip.Reader
		if plain, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, err = io.ReadAll(plain)
		}
	}
	if err != nil {
		return 0, size, err
	}
	spans, err = wire.Count(pipeline.SignalTraces, body)
	return spans, size, err
}

// pause is how long the backend takes for so many spans.
func (b *backend) pause(spans int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate == 0 {
		return 0
	}
	if now := time.Now(); b.free.Before(now) {
		b.free = now
	}
	b.free = b.free.Add(time.Duration(float64(spans) / float64(b.rate) * float64(time.Second)))
	return time.Until(b.free)
}

func (b *backend) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rate = 0
	close(b.opened)
}

func (b *backend) counts() (spans, requests, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spans, b.requests, b.bytes
}

// settle waits until everything has arrived, or nothing has for two seconds.
func (b *backend) settle(sent int) {
	last, quiet := -1, 0
	for quiet < 40 {
		n, _, _ := b.counts()
		if n >= sent {
			return
		}
		if quiet++; n != last {
			last, quiet = n, 0
		}
		time.Sleep(50 * time.Millisecond)
	}
}
