package zstd

import "sync"

// The kinds of codes of a sequence.
const (
	lengths = iota // of literals
	offsets
	matches // their lengths
)

// extra are the bits behind a code, and the value when they are all zero.
type extra struct {
	base int
	bits uint8
}

// ladder begins with codes that are their own value, counted from base; each of the others begins where the one before ends.
func ladder(plain, base int, rest ...uint8) (all []extra) {
	for i := range plain {
		all = append(all, extra{base + i, 0})
	}
	at := base + plain
	for _, bits := range rest {
		all = append(all, extra{at, bits})
		at += 1 << bits
	}
	return all
}

// what the format gives for each kind: the values of codes, the largest state, and the table that needs no description.
type kind struct {
	values []extra // nil for offsets: 1<<code and as many bits
	most   int     // codes
	maxLog int
	usual  *fseTable
}

var kinds = sync.OnceValue(func() (all [3]kind) {
	usual := func(log int, odds ...int16) *fseTable {
		t, err := newFSE(odds, log)
		if err != nil {
			panic(err)
		}
		return t
	}
	all[lengths] = kind{ladder(16, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16), 36, 9,
		usual(6, 4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1)}
	all[offsets] = kind{nil, 32, 8, usual(5, 1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1)}
	all[matches] = kind{ladder(32, 3, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16), 53, 9,
		usual(6, 1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1)}
	return all
})

// sequences copies literals and what matches to the output.
func (f *frame) sequences(src []byte) error {
	var count int
	header := 1
	switch {
	case len(src) == 0:
		return errCorrupt
	case src[0] < 128:
		count = int(src[0])
	case src[0] < 255 && len(src) > 1:
		count, header = int(src[0]-128)<<8|int(src[1]), 2
	case len(src) > 2:
		count, header = int(src[1])+int(src[2])<<8+0x7F00, 3
	default:
		return errCorrupt
	}
	src = src[header:]
	if count == 0 {
		if len(src) > 0 {
			return errCorrupt
		}
		f.out = append(f.out, f.text...)
		return nil
	}
	if len(src) == 0 || src[0]&3 != 0 {
		return errCorrupt
	}
	modes := src[0]
	src = src[1:]
	for which := range f.tables {
		var err error
		if src, err = f.table(which, int(modes>>(6-2*which)&3), src); err != nil {
			return err
		}
	}
	in, err := newBackward(src)
	if err != nil {
		return err
	}
	return f.copy(count, &in)
}

// table makes the table of one kind: the usual one, that of one symbol, a new one, that of the block before.
func (f *frame) table(which, mode int, src []byte) (rest []byte, err error) {
	k := kinds()[which]
	switch mode {
	case 0:
		f.tables[which] = k.usual
	case 1:
		if len(src) == 0 || int(src[0]) >= k.most {
			return nil, errCorrupt
		}
		f.tables[which] = &fseTable{0, []fseState{{symbol: src[0]}}}
		src = src[1:]
	case 2:
		f.tables[which], src, err = readFSE(src, k.maxLog, k.most)
	default:
		if f.tables[which] == nil {
			return nil, errCorrupt
		}
	}
	return src, err
}

func (f *frame) copy(count int, in *backward) error {
	text, from := f.text, len(f.out)
	var state [3]int
	for which, t := range f.tables {
		state[which] = in.read(t.log)
	}
	symbol := func(which int) int { return int(f.tables[which].states[state[which]].symbol) }
	for i := range count {
		code := symbol(offsets)
		offset := 1<<code + in.read(code)
		value := kinds()[matches].values[symbol(matches)]
		match := value.base + in.read(int(value.bits))
		value = kinds()[lengths].values[symbol(lengths)]
		length := value.base + in.read(int(value.bits))
		if i < count-1 {
			for _, which := range [3]int{lengths, matches, offsets} {
				state[which] = f.tables[which].step(state[which], in)
			}
		}
		offset = f.offset(offset, length)
		if in.pos < 0 || length > len(text) || len(f.out)-from+length+match > maxBlock || offset <= 0 || offset > len(f.out)-f.start+length {
			return errCorrupt
		}
		f.out = append(f.out, text[:length]...)
		text = text[length:]
		for at := len(f.out) - offset; match > 0; { // what is copied may overlap what it makes
			n := min(match, len(f.out)-at)
			f.out = append(f.out, f.out[at:at+n]...)
			at, match = at+n, match-n
		}
	}
	if in.pos != 0 || len(f.out)-from+len(text) > maxBlock {
		return errCorrupt
	}
	f.out = append(f.out, text...)
	return nil
}

// offset is the distance that a value means: the small ones are those of before.
func (f *frame) offset(value, length int) int {
	last := &f.offsets
	if value > 3 {
		last[0], last[1], last[2] = value-3, last[0], last[1]
		return last[0]
	}
	if length == 0 {
		value++
	}
	switch value {
	case 2:
		last[0], last[1] = last[1], last[0]
	case 3:
		last[0], last[1], last[2] = last[2], last[0], last[1]
	case 4:
		last[0], last[1], last[2] = last[0]-1, last[0], last[1]
	}
	return last[0]
}
