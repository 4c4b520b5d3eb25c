package zstd

import "math/bits"

// huffman has, for every value of the next log bits, the symbol and its length.
type huffman struct {
	log   int
	codes []huffmanCode
}

type huffmanCode struct{ symbol, bits uint8 }

// readHuffman reads the weights of the symbols and returns what comes after them.
func readHuffman(src []byte) (h *huffman, rest []byte, err error) {
	if len(src) == 0 {
		return nil, nil, errCorrupt
	}
	n := int(src[0])
	src = src[1:]
	var weights []uint8
	if n >= 128 {
		n -= 127
		if len(src) < (n+1)/2 {
			return nil, nil, errCorrupt
		}
		for i := range n {
			weights = append(weights, src[i/2]>>(4*(1-i%2))&15)
		}
		src = src[(n+1)/2:]
	} else {
		if len(src) < n {
			return nil, nil, errCorrupt
		}
		if weights, err = readWeights(src[:n]); err != nil {
			return nil, nil, err
		}
		src = src[n:]
	}
	h, err = newHuffman(weights)
	return h, src, err
}

// readWeights decodes weights that two states of one table tell in turn.
func readWeights(src []byte) (weights []uint8, err error) {
	table, src, err := readFSE(src, 6, 256)
	if err != nil {
		return nil, err
	}
	in, err := newBackward(src)
	if err != nil {
		return nil, err
	}
	now, other := in.read(table.log), in.read(table.log)
	for in.pos >= 0 {
		weights = append(weights, table.states[now].symbol)
		if len(weights) > 254 {
			return nil, errCorrupt
		}
		next := table.step(now, &in)
		if in.pos < 0 {
			return append(weights, table.states[other].symbol), nil
		}
		now, other = other, next
	}
	return nil, errCorrupt
}

// newHuffman makes the table; the last symbol's weight follows from the others.
func newHuffman(weights []uint8) (*huffman, error) {
	sum := 0
	for _, w := range weights {
		if w > 11 {
			return nil, errCorrupt
		}
		sum += 1 << w >> 1
	}
	log := bits.Len(uint(sum))
	left := 1<<log - sum
	if sum == 0 || log > 11 || left&(left-1) != 0 {
		return nil, errCorrupt
	}
	weights = append(weights, uint8(bits.Len(uint(left))))
	h := &huffman{log, make([]huffmanCode, 0, 1<<log)}
	for w := 1; w <= log; w++ {
		for symbol, its := range weights {
			if int(its) == w {
				for range 1 << (w - 1) {
					h.codes = append(h.codes, huffmanCode{uint8(symbol), uint8(log + 1 - w)})
				}
			}
		}
	}
	if len(h.codes) != 1<<log {
		return nil, errCorrupt
	}
	return h, nil
}

// decode appends the symbols of one stream, as many as are said to be in it.
func (h *huffman) decode(out, src []byte, count int) ([]byte, error) {
	in, err := newBackward(src)
	if err != nil {
		return nil, err
	}
	for range count {
		code := h.codes[in.peek(h.log)]
		in.pos -= int(code.bits)
		if in.pos < 0 {
			return nil, errCorrupt
		}
		out = append(out, code.symbol)
	}
	if in.pos != 0 {
		return nil, errCorrupt
	}
	return out, nil
}
