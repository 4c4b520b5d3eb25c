package app

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/open-telemetry/opentelemetry-lambda/collector/jsonwrite"
)

// Values this short would be found by chance in any line, and are no secrets.
const shortest = 6

// secrets are values that must not be read in the log, whoever quotes them: errors of decoders and servers do.
type secrets struct {
	mu     sync.RWMutex
	values [][]byte // as they stand in a line
}

func (s *secrets) add(value string) {
	value = strings.TrimSpace(value)
	_, word, _ := strings.Cut(value, " ") // Bearer TOKEN
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range []string{value, word} {
		if len(v) < shortest {
			continue
		}
		quoted := jsonwrite.String(nil, v)
		for _, stands := range [][]byte{[]byte(v), quoted[1 : len(quoted)-1]} {
			if !slices.ContainsFunc(s.values, func(known []byte) bool { return bytes.Equal(known, stands) }) { // values are fetched again and again
				s.values = append(s.values, stands)
			}
		}
	}
	slices.SortFunc(s.values, func(a, b []byte) int { return len(b) - len(a) }) // what holds another goes first
}

// environment adds the values of variables whose names say that they are secret.
func (s *secrets) environment(variables []string) {
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case strings.HasSuffix(name, "_HEADERS"):
			for pair := range strings.SplitSeq(value, ",") {
				_, v, _ := strings.Cut(pair, "=")
				s.add(v)
				if plain, err := url.PathUnescape(v); err == nil && plain != v {
					s.add(plain)
				}
			}
		case secret(name):
			s.add(value)
		}
	}
}

// configuration adds what stands under headers, under keys whose names say that they are secret, and in URLs.
func (s *secrets) configuration(node any, inside bool) {
	switch n := node.(type) {
	case map[string]any:
		for key, value := range n {
			s.configuration(value, inside || key == "headers" || secret(key))
		}
	case []any:
		for _, value := range n {
			s.configuration(value, inside)
		}
	case string:
		if inside {
			s.add(n)
		}
		s.address(n)
	}
}

// address adds what a URL holds behind its ? (presigned URLs, keys) and its password.
func (s *secrets) address(text string) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return
	}
	if password, ok := u.User.Password(); ok {
		s.add(password)
		s.add(url.PathEscape(password))
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		_, value, _ := strings.Cut(pair, "=")
		s.add(value)
		if plain, err := url.QueryUnescape(value); err == nil && plain != value {
			s.add(plain)
		}
	}
}

func secret(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	for _, part := range []string{"secret", "token", "password", "api_key", "apikey", "authorization", "credential"} {
		if strings.Contains(name, part) && !strings.HasSuffix(name, "_file") && !strings.HasSuffix(name, "_url") {
			return true
		}
	}
	return false
}

func (s *secrets) hide(line []byte) []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, value := range s.values {
		if bytes.Contains(line, value) {
			line = bytes.ReplaceAll(line, value, []byte("****"))
		}
	}
	return line
}
