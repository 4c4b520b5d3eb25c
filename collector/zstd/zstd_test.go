package zstd

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	library "github.com/klauspost/compress/zstd"
)

func encode(t testing.TB, plain []byte, options ...library.EOption) []byte {
	t.Helper()
	e, err := library.NewWriter(nil, append(options, library.WithEncoderConcurrency(1))...)
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(plain, nil)
}

// samples are texts that need each way of compressing: raw, one byte, literals alone, with matches near and far.
func samples() map[string][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	noise, skewed, words := make([]byte, 300_000), make([]byte, 200_000), []byte{}
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for i := range skewed {
		skewed[i] = "aaaaaaaabbbbccd"[random.IntN(15)]
	}
	list := strings.Fields("service.name http.request.method GET POST /orders/ trace span faas.invocation 200 500 aws.lambda")
	for len(words) < 300_000 {
		words = append(words, list[random.IntN(len(list))]...)
		words = append(words, byte(random.Uint32()))
	}
	far := append(append(bytes.Clone(noise), words[:1000]...), noise...)
	return map[string][]byte{
		"nothing": nil, "a byte": {7}, "a line": []byte("hello, hello, hello"), "zeros": make([]byte, 1<<20), "noise": noise, "skewed": skewed, "words": words, "far": far,
		"few": words[:300], "some": words[:20_000], "deep": bytes.Repeat([]byte("ab"), 70_000),
	}
}

func TestDecodesWhatTheLibraryEncodes(t *testing.T) {
	for name, plain := range samples() {
		for level := library.SpeedFastest; level <= library.SpeedBestCompression; level++ {
			for _, options := range [][]library.EOption{nil, {library.WithEncoderCRC(false), library.WithSingleSegment(true)}, {library.WithWindowSize(1 << 10)}, {library.WithNoEntropyCompression(true)}} {
				src := encode(t, plain, append(options, library.WithEncoderLevel(level))...)
				got, err := Decode(src, len(plain))
				if err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%s, %v: %d of %d bytes, %v", name, level, len(got), len(plain), err)
				}
				if _, err := Decode(src, len(plain)-1); len(plain) > 0 && !errors.Is(err, ErrTooLarge) {
					t.Errorf("%s: beyond the limit: %v", name, err)
				}
			}
		}
		var stream bytes.Buffer // many blocks and frames
		w, err := library.NewWriter(&stream)
		if err != nil {
			t.Fatal(err)
		}
		for part := plain; len(part) > 0; part = part[min(len(part), 50_000):] {
			_, _ = w.Write(part[:min(len(part), 50_000)])
			_ = w.Flush()
		}
		_ = w.Close()
		twice := append(append(bytes.Clone(stream.Bytes()), 0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3), stream.Bytes()...)
		if got, err := Decode(twice, 2*len(plain)); err != nil || !bytes.Equal(got, append(bytes.Clone(plain), plain...)) {
			t.Errorf("%s: %d bytes of two frames, %v", name, len(got), err)
		}
	}
}

func TestWhatIsCutOrChangedNeverPanicsAndIsBounded(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for name, plain := range samples() {
		src := encode(t, plain[:min(len(plain), 20_000)])
		for range 300 {
			bad := bytes.Clone(src)
			if random.IntN(2) == 0 {
				bad = bad[:random.IntN(len(bad)+1)]
			} else if len(bad) > 0 {
				bad[random.IntN(len(bad))] ^= 1 << random.IntN(8)
			}
			if got, _ := Decode(bad, 30_000); len(got) > 30_000+maxBlock {
				t.Errorf("%s: %d bytes", name, len(got))
			}
		}
		if len(src) > 0 {
			if _, err := Decode(src[:len(src)-5], 30_000); err == nil && len(plain) > 0 {
				t.Errorf("%s: the end is not missed", name)
			}
		}
	}
	bomb := encode(t, make([]byte, 20<<20))
	if got, err := Decode(bomb, 1<<20); !errors.Is(err, ErrTooLarge) || len(got) > 1<<20+maxBlock {
		t.Errorf("%d bytes of a bomb of %d: %v", len(got), len(bomb), err)
	}
}

// FuzzDecode: what the library takes this takes, with the same result.
func FuzzDecode(f *testing.F) {
	for _, plain := range samples() {
		plain = plain[:min(len(plain), 3000)]
		f.Add(encode(f, plain, library.WithEncoderLevel(library.SpeedBestCompression)))
		f.Add(encode(f, plain, library.WithEncoderLevel(library.SpeedFastest), library.WithSingleSegment(true)))
	}
	d, err := library.NewReader(nil, library.IgnoreChecksum(true), library.WithDecoderMaxMemory(1<<20), library.WithDecoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := Decode(src, 1<<20)
		want, wrong := d.DecodeAll(src, nil)
		if wrong == nil && (err != nil || !bytes.Equal(got, want)) {
			t.Errorf("%d bytes, %v; the library has %d", len(got), err, len(want))
		}
	})
}
