package startup

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
)

// Version is the version of a Collector in a feature gate: v0.120.0, 1.2.0-rc.1
type Version struct {
	numbers  []uint64
	pre, end string // after a hyphen, after a plus sign
}

// NewVersion reads a version.
func NewVersion(text string) (*Version, error) {
	core, rest := span(strings.TrimPrefix(text, "v"), func(c byte) bool { return digit(c) || c == '.' })
	v := &Version{}
	for part := range strings.SplitSeq(core, ".") {
		n, err := strconv.ParseUint(part, 10, 63)
		if err != nil {
			return nil, errors.New("malformed version: " + text)
		}
		v.numbers = append(v.numbers, n)
	}
	for len(v.numbers) < 3 {
		v.numbers = append(v.numbers, 0)
	}
	v.pre, v.end, _ = strings.Cut(rest, "+")
	v.pre = strings.TrimPrefix(v.pre, "-")
	return v, nil
}

// String is the version without a leading v.
func (v *Version) String() string {
	text := ""
	for i, n := range v.numbers {
		if i > 0 {
			text += "."
		}
		text += strconv.FormatUint(n, 10)
	}
	if v.pre != "" {
		text += "-" + v.pre
	}
	if v.end != "" {
		text += "+" + v.end
	}
	return text
}

// LessThan tells whether v comes before other: numbers first, then what has a pre-release before what has none.
func (v *Version) LessThan(other *Version) bool {
	for i := range max(len(v.numbers), len(other.numbers)) {
		if c := cmp.Compare(at(v.numbers, i), at(other.numbers, i)); c != 0 {
			return c < 0
		}
	}
	if v.pre == other.pre || v.pre == "" || other.pre == "" {
		return v.pre != "" && other.pre == ""
	}
	mine, theirs := strings.Split(v.pre, "."), strings.Split(other.pre, ".")
	for i := range min(len(mine), len(theirs)) {
		if mine[i] != theirs[i] {
			return earlier(mine[i], theirs[i])
		}
	}
	if len(mine) < len(theirs) { // as the library: nothing stands between numbers and words
		return isNumber(theirs[len(mine)])
	}
	return !isNumber(mine[len(theirs)])
}

// earlier compares parts of pre-releases: numbers come before words.
func earlier(a, b string) bool {
	switch {
	case isNumber(a) != isNumber(b):
		return isNumber(a)
	case isNumber(a) && len(a) != len(b):
		return len(a) < len(b)
	default:
		return a < b
	}
}

func isNumber(part string) bool {
	_, err := strconv.ParseUint(part, 10, 63)
	return err == nil
}

func at(numbers []uint64, i int) uint64 {
	if i < len(numbers) {
		return numbers[i]
	}
	return 0
}
