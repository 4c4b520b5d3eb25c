// Package zstd decompresses Zstandard (RFC 8878) from memory to memory, without dictionaries. A library's decoder would cost ten times
// as many bytes of the binary. Checksums are not checked: what carries the data has its own.
package zstd

import (
	"encoding/binary"
	"errors"
)

var (
	// ErrTooLarge says that there is more than the limit.
	ErrTooLarge = errors.New("too large")
	errCorrupt  = errors.New("not valid zstd")
	errDict     = errors.New("zstd with a dictionary")
)

const (
	frameMagic = 0xFD2FB528
	skipMagic  = 0x184D2A50 // and the 15 numbers after it
	maxBlock   = 128 << 10
)

// Decode returns what the frames in src hold, at most limit bytes.
func Decode(src []byte, limit int) (out []byte, err error) {
	for len(src) > 0 && err == nil {
		if len(src) < 5 {
			return nil, errCorrupt
		}
		magic := binary.LittleEndian.Uint32(src)
		switch {
		case magic == frameMagic:
			f := frame{out: out, start: len(out), limit: limit, offsets: [3]int{1, 4, 8}}
			src, err = f.decode(src[4:])
			out = f.out
		case magic&^15 == skipMagic && len(src) >= 8 && uint64(binary.LittleEndian.Uint32(src[4:])) <= uint64(len(src)-8):
			src = src[8+binary.LittleEndian.Uint32(src[4:]):]
		default:
			err = errCorrupt
		}
	}
	return out, err
}

// frame is the state that lasts from block to block.
type frame struct {
	out     []byte
	start   int // of the frame in out
	limit   int
	offsets [3]int // the last ones, the newest first
	codes   *huffman
	tables  [3]*fseTable // of literals' lengths, offsets, matches' lengths
	text    []byte       // literals of the block
}

func (f *frame) decode(src []byte) (rest []byte, err error) {
	head := src[0]
	single := head>>5&1 == 1
	size := 1 + [4]int{0, 1, 2, 4}[head&3] + [4]int{0, 2, 4, 8}[head>>6]
	dict := 1
	if !single {
		size, dict = size+1, 2 // the size of the window: all of the frame is kept here
	} else if head>>6 == 0 {
		size++
	}
	if head&8 != 0 || len(src) < size {
		return nil, errCorrupt
	}
	for _, b := range src[dict : dict+[4]int{0, 1, 2, 4}[head&3]] {
		if b != 0 {
			return nil, errDict
		}
	}
	src = src[size:]
	for last := false; !last; {
		if len(src) < 3 {
			return nil, errCorrupt
		}
		block := int(src[0]) | int(src[1])<<8 | int(src[2])<<16
		last = block&1 == 1
		if src, err = f.block(block>>1&3, block>>3, src[3:]); err != nil {
			return nil, err
		}
		if len(f.out) > f.limit {
			return nil, ErrTooLarge
		}
	}
	if head&4 != 0 {
		if len(src) < 4 {
			return nil, errCorrupt
		}
		src = src[4:]
	}
	return src, nil
}

func (f *frame) block(kind, size int, src []byte) (rest []byte, err error) {
	held := size
	if kind == 1 {
		held = 1
	}
	if size > maxBlock || held > len(src) || kind == 3 {
		return nil, errCorrupt
	}
	switch kind {
	case 0:
		f.out = append(f.out, src[:size]...)
	case 1:
		for range size {
			f.out = append(f.out, src[0])
		}
	case 2:
		sequences, err := f.literals(src[:size])
		if err != nil {
			return nil, err
		}
		if err := f.sequences(sequences); err != nil {
			return nil, err
		}
	}
	return src[held:], nil
}

// literals fills f.text and returns what comes after their section.
func (f *frame) literals(src []byte) (rest []byte, err error) {
	if len(src) == 0 {
		return nil, errCorrupt
	}
	kind, format := src[0]&3, src[0]>>2&3
	header, bits := [4]int{1, 2, 1, 3}[format], [4]int{5, 12, 5, 20}[format]
	if kind >= 2 {
		header, bits = [4]int{3, 3, 4, 5}[format], [4]int{10, 10, 14, 18}[format]
	}
	if len(src) < header {
		return nil, errCorrupt
	}
	value := uint64(0)
	for i := header - 1; i >= 0; i-- {
		value = value<<8 | uint64(src[i])
	}
	src = src[header:]
	if kind < 2 { // as they are, or one byte many times
		size := int(value >> 3)
		if bits != 5 {
			size = int(value >> 4)
		}
		held := size
		if kind == 1 {
			held = 1
		}
		if size > maxBlock || held > len(src) {
			return nil, errCorrupt
		}
		f.text = append(f.text[:0], src[:held]...)
		for len(f.text) < size {
			f.text = append(f.text, src[0])
		}
		return src[held:], nil
	}
	size, held := int(value>>4)&(1<<bits-1), int(value>>(4+bits))&(1<<bits-1)
	if size > maxBlock || held > len(src) {
		return nil, errCorrupt
	}
	coded, rest := src[:held], src[held:]
	if kind == 2 {
		if f.codes, coded, err = readHuffman(coded); err != nil {
			return nil, err
		}
	}
	if f.codes == nil {
		return nil, errCorrupt
	}
	f.text = f.text[:0]
	if format == 0 {
		f.text, err = f.codes.decode(f.text, coded, size)
		return rest, err
	}
	if len(coded) < 6 {
		return nil, errCorrupt
	}
	jumps, streams := coded[:6], coded[6:]
	each := (size + 3) / 4
	for i := range 4 {
		n, count := len(streams), size-3*each
		if i < 3 {
			n, count = int(binary.LittleEndian.Uint16(jumps[2*i:])), each
		}
		if n > len(streams) || count < 0 {
			return nil, errCorrupt
		}
		if f.text, err = f.codes.decode(f.text, streams[:n], count); err != nil {
			return nil, err
		}
		streams = streams[n:]
	}
	return rest, nil
}
