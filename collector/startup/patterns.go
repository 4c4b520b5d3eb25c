// Package startup holds what stands for parts of libraries that would cost too much at every cold start. edits.py puts calls of it into
// copies of the libraries when the extension is compiled.
package startup

import (
	"strings"
	"unicode"
)

// Type is the pattern of a component's type: ^[a-zA-Z][0-9a-zA-Z_]{0,62}$
type Type struct{}

// MatchString tells whether s matches.
func (Type) MatchString(s string) bool {
	return len(s) > 0 && len(s) <= 63 && letter(s[0]) && every(s, func(c byte) bool { return letter(c) || digit(c) || c == '_' })
}

// Name is the pattern of the name of a component or pipeline: ^[^\pZ\pC\pS]+$
type Name struct{}

// MatchString tells whether s matches.
func (Name) MatchString(s string) bool {
	for _, r := range s {
		if r < 0x80 && (letter(byte(r)) || digit(byte(r))) {
			continue // without a look into Unicode's tables
		}
		if unicode.In(r, unicode.Z, unicode.C, unicode.S) {
			return false
		}
	}
	return s != ""
}

// Gate is the pattern of a feature gate: ^[0-9a-zA-Z]+(\.[0-9a-zA-Z]+)*$
type Gate struct{}

// MatchString tells whether s matches.
func (Gate) MatchString(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || !every(part, func(c byte) bool { return letter(c) || digit(c) }) {
			return false
		}
	}
	return true
}

// Variable is the pattern of the name of an environment variable: ^[a-zA-Z_][a-zA-Z0-9_]*$
type Variable struct{}

// MatchString tells whether s matches.
func (Variable) MatchString(s string) bool {
	return s != "" && !digit(s[0]) && every(s, func(c byte) bool { return letter(c) || digit(c) || c == '_' })
}

// Scheme is the pattern of a scheme somewhere in a text: [A-Za-z][A-Za-z0-9+.-]+
type Scheme struct{}

// MatchString tells whether s contains a match.
func (Scheme) MatchString(s string) bool {
	for i := 1; i < len(s); i++ {
		if letter(s[i-1]) && inScheme(s[i]) {
			return true
		}
	}
	return false
}

// URI is the pattern of a scheme, a colon and anything: (?s:^(?P<Scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<OpaqueValue>.*)$)
type URI struct{}

// FindStringSubmatch is s, its scheme and what follows the colon; nil when s does not match.
func (URI) FindStringSubmatch(s string) []string {
	scheme, rest, found := strings.Cut(s, ":")
	if !found || len(scheme) < 2 || !letter(scheme[0]) || !every(scheme, inScheme) {
		return nil
	}
	return []string{s, scheme, rest}
}

// Drive is the pattern of a drive's letter on Windows: ^[A-z]:
type Drive struct{}

// MatchString tells whether s matches.
func (Drive) MatchString(s string) bool {
	return len(s) > 1 && s[0] >= 'A' && s[0] <= 'z' && s[1] == ':'
}

// Float is the pattern of a number in YAML: ^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$
type Float struct{}

// MatchString tells whether s matches.
func (Float) MatchString(s string) bool {
	whole, rest := span(unsigned(s), digit)
	if fraction, found := strings.CutPrefix(rest, "."); found {
		var digits string
		if digits, rest = span(fraction, digit); whole == "" && digits == "" {
			return false
		}
	} else if whole == "" {
		return false
	}
	if rest == "" {
		return true
	}
	exponent := unsigned(rest[1:])
	return rest[0]|0x20 == 'e' && exponent != "" && every(exponent, digit)
}

// Sexagesimal is the pattern of a number to the base 60 in YAML 1.1: ^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$
type Sexagesimal struct{}

// MatchString tells whether s matches.
func (Sexagesimal) MatchString(s string) bool {
	spaced := func(c byte) bool { return digit(c) || c == '_' }
	whole, rest := span(unsigned(s), spaced)
	if whole == "" || whole[0] == '_' || !strings.HasPrefix(rest, ":") {
		return false
	}
	for strings.HasPrefix(rest, ":") {
		var digits string
		digits, rest = span(rest[1:], digit)
		if digits == "" || len(digits) > 2 || (len(digits) == 2 && digits[0] > '5') {
			return false
		}
	}
	fraction, found := strings.CutPrefix(rest, ".")
	return rest == "" || (found && every(fraction, spaced))
}

func unsigned(s string) string {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return s[1:]
	}
	return s
}

// span cuts s behind its first characters that are so.
func span(s string, are func(byte) bool) (first, rest string) {
	for i := range len(s) {
		if !are(s[i]) {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func digit(c byte) bool { return c >= '0' && c <= '9' }

func inScheme(c byte) bool { return letter(c) || digit(c) || c == '+' || c == '.' || c == '-' }

func every(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}
