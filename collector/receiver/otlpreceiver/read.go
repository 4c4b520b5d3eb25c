package otlpreceiver

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/open-telemetry/opentelemetry-lambda/collector/zstd"
)

// A length that is only announced gets no more memory than this ahead of its bytes; a message of this size or more is a large one.
const trusted = 1 << 20

var (
	buffers  = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	unzipper = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// readAll returns the decompressed message, at most limit bytes of it, in memory of its own: whoever takes it keeps it.
// length is the number of bytes that body holds, or -1; large is called before a large message gets memory.
func readAll(body io.Reader, encoding string, length, limit int64, large func()) ([]byte, error) {
	if encoding == "" || encoding == "identity" {
		if length > limit {
			return nil, tooLarge(limit)
		}
		if length >= 0 && length < trusted {
			exact := make([]byte, length)
			if n, err := io.ReadFull(body, exact); err != nil {
				return nil, badMessage{fmt.Errorf("%d of %d bytes: %w", n, length, err)}
			}
			return exact, nil
		}
		return drain(body, length, limit, large)
	}
	switch encoding {
	case "gzip":
		z := unzipper.Get().(*gzip.Reader)
		defer unzipper.Put(z)
		if err := z.Reset(body); err != nil {
			return nil, badMessage{err}
		}
		return drain(z, -1, limit, large)
	case "deflate", "zlib":
		z, err := zlib.NewReader(body)
		if err != nil {
			return nil, badMessage{err}
		}
		return drain(z, -1, limit, large)
	case "zstd":
		compressed, err := drain(body, length, limit, large)
		if err != nil {
			return nil, err
		}
		plain, err := zstd.Decode(compressed, int(min(trusted, limit)))
		if errors.Is(err, zstd.ErrTooLarge) && limit > trusted {
			large()
			plain, err = zstd.Decode(compressed, int(limit))
		}
		switch {
		case errors.Is(err, zstd.ErrTooLarge):
			return nil, tooLarge(limit)
		case err != nil:
			return nil, badMessage{err}
		default:
			return plain, nil
		}
	default:
		return nil, fmt.Errorf("%w %q: gzip, deflate and zstd are known", errEncoding, encoding)
	}
}

// drain reads to the end; length is the number of bytes to come, or -1.
func drain(plain io.Reader, length, limit int64, large func()) ([]byte, error) {
	if length > limit {
		return nil, tooLarge(limit)
	}
	first := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(first)
	first.Reset()
	n, err := first.ReadFrom(io.LimitReader(plain, trusted))
	switch {
	case n > limit:
		return nil, tooLarge(limit)
	case err == nil && n < min(length, trusted):
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, badMessage{fmt.Errorf("after %d bytes: %w", n, err)}
	}
	if n < trusted {
		return bytes.Clone(first.Bytes()), nil
	}
	large()
	if length < 0 {
		return join(first.Bytes(), plain, limit)
	}
	exact := make([]byte, length)
	more, err := io.ReadFull(plain, exact[copy(exact, first.Bytes()):])
	if err != nil {
		return nil, badMessage{fmt.Errorf("after %d bytes: %w", n+int64(more), err)}
	}
	return exact, nil
}

// join reads the rest in pieces and puts them together once: a buffer that grows would hold the message three times.
func join(first []byte, rest io.Reader, limit int64) ([]byte, error) {
	pieces, total := [][]byte{first}, int64(len(first))
	for {
		piece := bytes.NewBuffer(make([]byte, 0, trusted+bytes.MinRead))
		n, err := piece.ReadFrom(io.LimitReader(rest, trusted))
		pieces, total = append(pieces, piece.Bytes()), total+n
		switch {
		case total > limit:
			return nil, tooLarge(limit)
		case err != nil:
			return nil, badMessage{fmt.Errorf("after %d bytes: %w", total, err)}
		case n < trusted:
			return bytes.Join(pieces, nil), nil
		}
	}
}

func tooLarge(limit int64) error {
	return fmt.Errorf("%w: at most %d bytes are taken", errTooLarge, limit)
}

var errCompression = errors.New("compressed, but grpc-encoding does not say how")
