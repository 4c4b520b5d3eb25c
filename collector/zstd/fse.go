package zstd

import "math/bits"

// fseTable decodes finite state entropy: each state has a symbol, and how the next one is found.
type fseTable struct {
	log    int // bits of a state
	states []fseState
}

type fseState struct {
	symbol, bits uint8
	base         uint16
}

// readFSE reads a table's description and returns what comes after it.
func readFSE(src []byte, maxLog, symbols int) (t *fseTable, rest []byte, err error) {
	in := forward{data: src}
	log := in.read(4) + 5
	if log > maxLog {
		return nil, nil, errCorrupt
	}
	left := 1 << log
	var odds []int16
	for left > 0 {
		n := bits.Len(uint(left + 1))
		few := 1<<n - 1 - (left + 1) // that many values need a bit less
		value := in.read(n - 1)
		if value >= few {
			if value |= in.read(1) << (n - 1); value >= 1<<(n-1) {
				value -= few
			}
		}
		odd := value - 1
		odds = append(odds, int16(odd))
		left -= max(odd, -odd)
		for more := odd == 0; more; {
			zeros := in.read(2)
			odds, more = append(odds, make([]int16, zeros)...), zeros == 3
			if len(odds) > symbols {
				break
			}
		}
		if len(odds) > symbols || in.pos > 8*len(src) {
			return nil, nil, errCorrupt
		}
	}
	if left < 0 {
		return nil, nil, errCorrupt
	}
	t, err = newFSE(odds, log)
	return t, src[(in.pos+7)/8:], err
}

// newFSE makes a table of the symbols' probabilities in 1<<log; -1 is less than one of them.
func newFSE(odds []int16, log int) (*fseTable, error) {
	size := 1 << log
	t := &fseTable{log, make([]fseState, size)}
	high, next := size, make([]int, len(odds))
	for symbol, odd := range odds {
		next[symbol] = int(odd)
		if odd == -1 {
			high--
			t.states[high].symbol, next[symbol] = uint8(symbol), 1
		}
	}
	at := 0
	for symbol, odd := range odds {
		for range max(odd, 0) {
			t.states[at].symbol = uint8(symbol)
			for at = (at + size>>1 + size>>3 + 3) & (size - 1); at >= high; {
				at = (at + size>>1 + size>>3 + 3) & (size - 1)
			}
		}
	}
	if at != 0 {
		return nil, errCorrupt
	}
	for i := range t.states {
		s := &t.states[i]
		n := next[s.symbol]
		next[s.symbol]++
		s.bits = uint8(log + 1 - bits.Len(uint(n)))
		s.base = uint16(n<<s.bits - size)
	}
	return t, nil
}

// step is the state after this one.
func (t *fseTable) step(state int, in *backward) int {
	s := t.states[state]
	return int(s.base) + in.read(int(s.bits))
}
