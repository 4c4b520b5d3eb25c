//go:build !race

package otlpreceiver

import (
	"bytes"
	"runtime"
	"testing"
)

// A function may have 128 MB, and this message 20 of them.
func TestMemoryOfALargeMessage(t *testing.T) {
	body := make([]byte, 16*trusted)
	for _, c := range []struct {
		name, encoding string
		length         int64
		body           []byte
		times          float64
	}{
		{"length known", "", int64(len(body)), body, 1.3},
		{"length unknown", "", -1, body, 2.4},
		{"gzip", "gzip", -1, gzipped(body), 2.4},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, err := readAll(bytes.NewReader(c.body), c.encoding, c.length, 20*trusted, func() {})
			runtime.ReadMemStats(&after)
			if err != nil || len(got) != len(body) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if times := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(body)); times > c.times {
				t.Errorf("%.2f times the message is allocated, want at most %.1f", times, c.times)
			}
		})
	}
}
