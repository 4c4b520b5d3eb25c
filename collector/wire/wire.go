// Package wire checks encoded OTLP messages and counts their records without decoding them.
package wire

import (
	"errors"

	"go.opentelemetry.io/collector/pipeline"
)

var (
	// ErrUnsure means that the message is broken, or uses what this package leaves to the decoder: groups, fields of OTLP's early
	// versions, a metric with two kinds of data, integers of more than 64 bits. The decoder's verdict counts.
	ErrUnsure = errors.New("not accepted without decoding")
	// ErrNested means that decoding would exhaust the stack, which no recover catches: the decoder of package pdata has no limit.
	ErrNested = errors.New("nested too deeply")
)

// Official protobuf decoders have this limit or a lower one.
const maxDepth = 10_000

// Count walks through the whole message. When it returns no error the decoder of package pdata accepts the message and finds that
// many spans, metric data points or log records in it, alone or with other such messages before and behind it.
func Count(signal pipeline.Signal, body []byte) (records int, err error) {
	w := walker{}
	top := tracesData
	switch signal {
	case pipeline.SignalMetrics:
		top = metricsData
	case pipeline.SignalLogs:
		top = logsData
	}
	switch {
	case w.message(body, top, maxDepth):
		return w.records, nil
	case w.deep:
		return 0, ErrNested
	default:
		return 0, ErrUnsure
	}
}

type walker struct {
	records int
	deep    bool
}

// message reports whether the decoder takes buf as a message of that kind.
func (w *walker) message(buf []byte, kind message, depth int) bool {
	if depth == 0 {
		w.deep = true
		return false
	}
	fields := &descriptors[kind]
	for chosen := false; len(buf) > 0; {
		tag := uint64(buf[0])
		n := 1
		if tag >= 0x80 {
			if tag, n = varint(buf); n == 0 || tag >= 1<<32 {
				return false
			}
		}
		buf = buf[n:]
		at := tag >> 3
		var f field
		if at < uint64(len(fields)) {
			f = fields[at]
		}
		if at == 0 || at == deprecated && kind <= resourceLogs {
			return false
		}
		wire := field(tag & 7)
		if f != unknown && f&7 != wire && !f.unpacked(wire) {
			return false
		}
		switch wire {
		case wireVarint:
			if len(buf) > 0 && buf[0] < 0x80 {
				buf = buf[1:]
				continue
			}
			if _, n = varint(buf); n == 0 {
				return false
			}
		case wireI64:
			n = 8
		case wireI32:
			n = 4
		case wireLen:
			var size uint64
			if len(buf) > 0 && buf[0] < 0x80 {
				size, n = uint64(buf[0]), 1
			} else if size, n = varint(buf); n == 0 {
				return false
			}
			if buf = buf[n:]; size > uint64(len(buf)) {
				return false
			}
			n = int(size)
			switch f & content {
			case nested:
				if !w.message(buf[:n], f.message(), depth-1) {
					return false
				}
			case record:
				w.records++
				if !w.message(buf[:n], f.message(), depth-1) {
					return false
				}
			case choice:
				if chosen || !w.message(buf[:n], f.message(), depth-1) {
					return false
				}
				chosen = true // the decoder keeps the last of several
			case id:
				if n != 0 && n != int(f>>shift) {
					return false
				}
			case packedVarint:
				if !varints(buf[:n]) {
					return false
				}
			case packedI64:
				if n%8 != 0 {
					return false
				}
			}
		default: // groups, which OTLP does not have
			return false
		}
		if n > len(buf) {
			return false
		}
		buf = buf[n:]
	}
	return true
}

// varint returns a variable-length integer and its size, which is 0 when there is none.
func varint(buf []byte) (value uint64, size int) {
	for i, b := range buf {
		if i == 9 && b > 1 {
			return 0, 0 // more than 64 bits
		}
		value |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return value, i + 1
		}
	}
	return 0, 0
}

func varints(buf []byte) bool {
	for len(buf) > 0 {
		_, n := varint(buf)
		if n == 0 {
			return false
		}
		buf = buf[n:]
	}
	return true
}
