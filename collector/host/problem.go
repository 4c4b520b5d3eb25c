package host

import (
	"errors"
	"io/fs"
	"reflect"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.uber.org/zap"
)

// How a component that is not in the binary gets into it.
const onDemand = "a layer with other components: collector/run.sh build --config FILE"

// Problem is a configuration that cannot be used: where, which key, why, and what to do.
type Problem struct {
	Source string // file or URI of the configuration
	Line   int    // in the source, from 1; 0 when it is not known
	Key    string // a::b::c
	Cause  string
	Remedy string

	item string // element of the list at Key
}

func (p *Problem) Error() string {
	parts := []string{}
	where := p.Source
	if p.Line > 0 {
		where += ":" + strconv.Itoa(p.Line)
	}
	for _, part := range []string{where, p.Key, p.Cause} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	text := strings.Join(parts, ": ")
	if p.Remedy != "" {
		text += " (" + p.Remedy + ")"
	}
	return text
}

// Fields are the problem's parts for the log.
func (p *Problem) Fields() []zap.Field {
	fields := []zap.Field{zap.String("configuration", p.Source)}
	if p.Line > 0 {
		fields = append(fields, zap.Int("line", p.Line))
	}
	return append(fields, zap.String("key", p.Key), zap.String("cause", p.Cause), zap.String("remedy", p.Remedy))
}

func problem(key string, err error, remedy string) *Problem {
	if errors.Is(err, fs.ErrPermission) && remedy == "" {
		remedy = "make the file readable for everyone (chmod a+r) before it is packed into the layer or function"
	} else if errors.Is(err, fs.ErrNotExist) && remedy == "" {
		remedy = "the file must be in the function or a layer (/var/task/..., /opt/...)"
	}
	if remedy == "" {
		remedy = "the component's README tells what it needs"
	}
	return &Problem{Key: key, Cause: oneLine(err.Error()), Remedy: remedy}
}

// wrong is the problem of a configuration that does not fit the keys of cfg: the key is the very one that the error speaks of.
func wrong(key string, conf *confmap.Conf, cfg any, err error) *Problem {
	p := problem(key, err, "keys that it knows: "+strings.Join(keys(cfg), ", "))
	if before, bad, found := strings.Cut(p.Cause, " has invalid keys: "); found {
		t := reflect.TypeOf(cfg)
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		in := strings.Trim(before[strings.LastIndexByte(before, ' ')+1:], "'")
		in = path(strings.TrimPrefix(strings.TrimPrefix(in, t.String()), ".")) // the top level is called by its Go type
		bad, _, _ = strings.Cut(bad, ",")
		bad, _, _ = strings.Cut(bad, " ")
		bad = strings.TrimRight(bad, ":") // what an error around it says comes after a colon
		known := keysAt(t, in)
		p.Cause, p.Key = "unknown key "+strconv.Quote(bad), joinKey(key, joinKey(in, bad))
		p.Remedy = suggest(bad, known)
		if strings.HasPrefix(key, "receivers") || strings.HasPrefix(key, "exporters") || strings.HasPrefix(key, "processors") {
			p.Remedy += "; or the stock component, if it has this key, in " + onDemand
		}
		return p
	}
	p.Cause = strings.TrimPrefix(p.Cause, "decoding failed due to the following error(s): ")
	if at := mentioned(conf, p.Cause); at != "" {
		p.Key = joinKey(key, at)
	}
	if strings.Contains(p.Cause, "invalid duration") {
		p.Remedy = "write a time like 500ms or 10s"
	}
	return p
}

// mentioned is the first key of conf that a text names.
func mentioned(conf *confmap.Conf, text string) string {
	if conf == nil {
		return ""
	}
	for word := range strings.FieldsSeq(text) {
		if at := path(word); at != "" && conf.IsSet(at) {
			return at
		}
	}
	return ""
}

// path is a key as errors write it ('a.b[0]', a::b:) in the form a::b.
func path(word string) string {
	word = strings.Trim(word, `'":;,()`)
	word, _, _ = strings.Cut(word, "[")
	return strings.ReplaceAll(word, ".", "::")
}

func joinKey(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "::" + b
}

// suggest names what was probably meant, and all that there is.
func suggest(given string, known []string) string {
	all := "known here: " + strings.Join(known, ", ")
	if len(known) == 0 {
		all = "nothing else is known here"
	}
	if near := nearest(given, known); near != "" {
		return "did you mean " + near + "? " + all
	}
	return all
}

// nearest is the known name that a typing error or two make into the given one, or "".
func nearest(given string, known []string) (best string) {
	least := min(3, 1+len(given)/3) // edits that are too many
	for _, name := range known {
		if d := edits(given, name); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		for _, name := range known {
			if len(given) > 2 && (strings.HasPrefix(name, given) || strings.HasPrefix(given, name)) {
				return name
			}
		}
	}
	return best
}

// edits is the number of letters to put in, take out, change or swap to get from a to b.
func edits(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// oneLine folds an error of several lines: a log record is one.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// keys are the names that a component's configuration has at its top level.
func keys(cfg component.Config) []string { return keysAt(reflect.TypeOf(cfg), "") }

// keysAt are the names at a path within a configuration's type.
func keysAt(t reflect.Type, at string) (names []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	step, rest, _ := strings.Cut(at, "::")
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("mapstructure"), ",")
		switch {
		case strings.Contains(options, "squash"):
			names = append(names, keysAt(t.Field(i).Type, at)...)
		case name == "" || name == "-":
		case at == "":
			names = append(names, name)
		case name == step:
			return keysAt(t.Field(i).Type, rest)
		}
	}
	return names
}
