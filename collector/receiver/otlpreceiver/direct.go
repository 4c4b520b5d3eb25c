package otlpreceiver

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// direct answers the requests that SDKs make without net/http, which needs 15 us of CPU time for each. It is the listener of the
// http.Server: a connection goes there, with every byte since its last answered request, at the first request that differs in
// anything from what head knows. So whatever is unusual or wrong is judged and answered by net/http.
type direct struct {
	net.Listener
	receiver *otlpReceiver
	cfg      *HTTPConfig
	known    head
	others   chan net.Conn

	mu      sync.Mutex
	open    map[*connection]struct{}
	closing chan struct{} // closed by Close
	running sync.WaitGroup
}

type connection struct {
	net.Conn
	reader *bufio.Reader
	busy   atomic.Bool // in a request
}

func newDirect(r *otlpReceiver, cfg *HTTPConfig, l net.Listener) *direct {
	d := &direct{Listener: l, receiver: r, cfg: cfg, known: head{paths: cfg.paths()}, others: make(chan net.Conn), open: map[*connection]struct{}{}, closing: make(chan struct{})}
	go d.listen()
	return d
}

// Accept is what net/http gets: the connections that are for it.
func (d *direct) Accept() (net.Conn, error) {
	select {
	case c := <-d.others:
		return c, nil
	case <-d.closing:
		return nil, net.ErrClosed
	}
}

// Close ends listening, and closes the connections that rest.
func (d *direct) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.closing:
		return nil
	default:
	}
	close(d.closing)
	for c := range d.open {
		if !c.busy.Load() {
			_ = c.Conn.Close()
		}
	}
	return d.Listener.Close()
}

// wait lets requests that have begun end until ctx does.
func (d *direct) wait(ctx context.Context) {
	done := make(chan struct{})
	go func() { d.running.Wait(); close(done) }()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.open {
		_ = c.Conn.Close()
	}
}

func (d *direct) listen() {
	for pause := time.Millisecond; ; {
		accepted, err := d.Listener.Accept()
		if err != nil {
			select {
			case <-d.closing:
				return
			case <-time.After(pause): // as net/http does: too many open files pass
				pause = min(2*pause, time.Second)
				continue
			}
		}
		pause = time.Millisecond
		c := &connection{Conn: accepted, reader: bufio.NewReader(accepted)}
		if d.add(c) {
			go d.serve(c)
		}
	}
}

// add is refused, and the connection closed, after Close.
func (d *direct) add(c *connection) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.closing:
		_ = c.Conn.Close()
		return false
	default:
		d.open[c] = struct{}{}
		d.running.Add(1)
		return true
	}
}

// serve answers requests until one is for net/http, or none comes any more.
func (d *direct) serve(c *connection) {
	ours := true
	err := delivery.Safely(func() (err error) {
		for err == nil && ours {
			ours, err = d.request(c)
		}
		return nil // the peer has gone
	})
	d.mu.Lock()
	delete(d.open, c)
	d.mu.Unlock()
	d.running.Done()
	if err != nil {
		d.receiver.logger.Error("receiver failed, the connection is closed", zap.Error(err))
	}
	if !ours {
		select {
		case d.others <- c:
			return
		case <-d.closing:
		}
	}
	_ = c.Conn.Close()
}

// request waits for one and answers it; ours is false, and nothing was read, when it is for net/http.
func (d *direct) request(c *connection) (ours bool, err error) {
	c.busy.Store(false)
	select {
	case <-d.closing:
		return true, net.ErrClosed
	default:
	}
	if _, err := c.reader.Peek(1); err != nil {
		return true, err
	}
	c.busy.Store(true)
	buffered, _ := c.reader.Peek(c.reader.Buffered())
	m, size, known := d.known.parse(buffered)
	if !known || m.length > d.cfg.MaxRequestBodySize {
		return false, nil
	}
	_, _ = c.reader.Discard(size)
	body := &io.LimitedReader{R: c.reader, N: m.length}
	m.body = body
	status, reply := d.receiver.answer(context.Background(), m, d.cfg.MaxRequestBodySize)
	if _, err := io.Copy(io.Discard, body); err != nil || body.N > 0 { // what a decompressor left
		return true, io.ErrUnexpectedEOF
	}
	_, err = c.Conn.Write(response(status, m.kind, reply))
	return true, err
}

func response(status int, kind string, reply []byte) []byte {
	out := make([]byte, 0, 160+len(reply))
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(append(out, ' '), http.StatusText(status)...)
	out = append(append(out, "\r\nContent-Type: "...), kind...)
	out = time.Now().UTC().AppendFormat(append(out, "\r\nDate: "...), http.TimeFormat)
	out = strconv.AppendInt(append(out, "\r\nContent-Length: "...), int64(len(reply)), 10)
	return append(append(out, "\r\n\r\n"...), reply...)
}

// Read gives net/http what was read already, then the rest.
func (c *connection) Read(p []byte) (int, error) { return c.reader.Read(p) }

// CloseWrite is asked for by net/http, which ends a connection with it so that its last reply arrives.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
