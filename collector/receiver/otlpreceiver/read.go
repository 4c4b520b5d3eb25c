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

// A length that is only announced gets no more memory than this ahead of its bytes; larger buffers are not kept either.
const trusted = 1 << 20

var (
	buffers  = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	unzipper = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// readAll returns the decompressed message, at most limit bytes of it, in memory of its own: whoever takes it keeps it.
// length is the number of bytes that body holds, or -1.
func readAll(body io.Reader, encoding string, length, limit int64) ([]byte, error) {
	if encoding == "" || encoding == "identity" {
		if length > limit {
			return nil, tooLarge(limit)
		}
		if length >= 0 && length <= trusted {
			exact := make([]byte, length)
			if n, err := io.ReadFull(body, exact); err != nil {
				return nil, badMessage{fmt.Errorf("%d of %d bytes: %w", n, length, err)}
			}
			return exact, nil
		}
		return drain(body, length, limit)
	}
	switch encoding {
	case "gzip":
		z := unzipper.Get().(*gzip.Reader)
		defer unzipper.Put(z)
		if err := z.Reset(body); err != nil {
			return nil, badMessage{err}
		}
		return drain(z, -1, limit)
	case "deflate", "zlib":
		z, err := zlib.NewReader(body)
		if err != nil {
			return nil, badMessage{err}
		}
		return drain(z, -1, limit)
	case "zstd":
		compressed, err := drain(body, length, limit)
		if err != nil {
			return nil, err
		}
		switch plain, err := zstd.Decode(compressed, int(limit)); {
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

// drain reads to the end by way of a pooled buffer; length is the number of bytes to come, or -1.
func drain(plain io.Reader, length, limit int64) ([]byte, error) {
	buffer := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buffer.Cap() <= trusted {
			buffers.Put(buffer)
		}
	}()
	buffer.Reset()
	n, err := buffer.ReadFrom(io.LimitReader(plain, limit+1))
	switch {
	case n > limit:
		return nil, tooLarge(limit)
	case err == nil && n < length:
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, badMessage{fmt.Errorf("after %d bytes: %w", n, err)}
	}
	return bytes.Clone(buffer.Bytes()), nil
}

func tooLarge(limit int64) error {
	return fmt.Errorf("%w: at most %d bytes are taken", errTooLarge, limit)
}

var errCompression = errors.New("compressed, but grpc-encoding does not say how")
