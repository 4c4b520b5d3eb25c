package otlpreceiver

import (
	"bytes"
	"strings"

	"go.opentelemetry.io/collector/pipeline"
)

// head knows the heads of requests that need nothing of net/http.
type head struct {
	paths map[string]pipeline.Signal
}

// parse reads the head at the front of buf; size is its length. It is known when the whole of it is there, when it is a POST to one of
// the paths with a length, when each line is one that no reader can take for anything else, and when no header asks for more.
func (h head) parse(buf []byte) (m message, size int, known bool) {
	end := bytes.Index(buf, []byte("\r\n\r\n"))
	if end < 0 {
		return m, 0, false
	}
	line, rest, _ := bytes.Cut(buf[:end+2], []byte("\r\n"))
	path, isPost := bytes.CutPrefix(line, []byte("POST "))
	path, isOne := bytes.CutSuffix(path, []byte(" HTTP/1.1"))
	if m.signal, known = h.paths[string(path)]; !known || !isPost || !isOne {
		return m, 0, false
	}
	var seen fields
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, colon := bytes.Cut(line, []byte(":"))
		if !colon || !token(name) || !printable(value) || !seen.take(&m, name, bytes.Trim(value, " \t")) {
			return m, 0, false
		}
	}
	return m, end + 4, seen.host && seen.length && m.kind != ""
}

// fields are the headers that may be there once at most.
type fields struct{ host, length, kind, encoding, ended bool }

// take tells whether the request stays known with this header.
func (f *fields) take(m *message, name, value []byte) bool {
	switch len(name) {
	case len("Te"):
		return !is(name, "Te")
	case len("Host"):
		return !is(name, "Host") || once(&f.host) && host(value)
	case len("Expect"):
		return !is(name, "Expect")
	case len("Upgrade"): // as long as Trailer
		return !is(name, "Upgrade") && !is(name, "Trailer")
	case len("Connection"):
		return !is(name, "Connection") || bytes.EqualFold(value, []byte("keep-alive"))
	case len("Content-Type"):
		if is(name, "Content-Type") {
			m.kind = kind(value)
			return once(&f.kind) && m.kind != ""
		}
	case len("Content-Length"):
		if is(name, "Content-Length") {
			var ok bool
			m.length, ok = number(value)
			return once(&f.length) && ok
		}
	case len("Content-Encoding"):
		if is(name, "Content-Encoding") {
			m.encoding = string(value)
			return once(&f.encoding)
		}
	case len("Transfer-Encoding"):
		return !is(name, "Transfer-Encoding")
	case len(endHeader):
		if is(name, endHeader) {
			m.ended = string(value)
			return once(&f.ended)
		}
	}
	return true
}

func is(name []byte, header string) bool { return bytes.EqualFold(name, []byte(header)) }

func once(seen *bool) bool {
	first := !*seen
	*seen = true
	return first
}

// kind is one of the two types, or nothing.
func kind(value []byte) string {
	if string(value) == typeProtobuf {
		return typeProtobuf
	}
	switch mediaType(string(value)) {
	case typeProtobuf:
		return typeProtobuf
	case typeJSON:
		return typeJSON
	}
	return ""
}

// number is a length without a sign; one of more than 15 digits is for others to refuse.
func number(value []byte) (n int64, ok bool) {
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, len(value) > 0 && len(value) <= 15
}

// host is what can stand in a URL: letters, digits, and what addresses are made of.
func host(value []byte) bool {
	for _, c := range value {
		if !alphanumeric(c) && strings.IndexByte(".-_:[]", c) < 0 {
			return false
		}
	}
	return len(value) > 0
}

// token is a header's name: RFC 9110 allows some more characters.
func token(name []byte) bool {
	for _, c := range name {
		if !alphanumeric(c) && c != '-' && c != '_' {
			return false
		}
	}
	return len(name) > 0
}

func printable(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' }
