package zstd

import (
	"encoding/binary"
	"math/bits"
)

// backward reads bits from the end of data to its beginning. Past that it reads zeros, and pos is negative.
type backward struct {
	data []byte
	pos  int // bits that are left
}

// newBackward finds the mark behind the last bit.
func newBackward(data []byte) (backward, error) {
	if len(data) == 0 || data[len(data)-1] == 0 {
		return backward{}, errCorrupt
	}
	return backward{data, 8*len(data) - 9 + bits.Len8(data[len(data)-1])}, nil
}

// peek is the next n bits, at most 32, as a number.
func (b *backward) peek(n int) int {
	low, missing := b.pos-n, 0
	if low < 0 {
		low, missing = 0, n-max(b.pos, 0)
	}
	if missing >= n {
		return 0
	}
	at, value := low>>3, uint64(0)
	if at+8 <= len(b.data) {
		value = binary.LittleEndian.Uint64(b.data[at:])
	} else {
		for i := len(b.data) - 1; i >= at; i-- {
			value = value<<8 | uint64(b.data[i])
		}
	}
	return int(value>>(low&7)&(1<<(n-missing)-1)) << missing
}

func (b *backward) read(n int) int {
	value := b.peek(n)
	b.pos -= n
	return value
}

// forward reads bits from the beginning, the lowest of each byte first. Past the end it reads zeros.
type forward struct {
	data []byte
	pos  int // bits that were read
}

func (f *forward) read(n int) (value int) {
	for i := range n {
		if at := f.pos >> 3; at < len(f.data) {
			value |= int(f.data[at]>>(f.pos&7)&1) << i
		}
		f.pos++
	}
	return value
}
