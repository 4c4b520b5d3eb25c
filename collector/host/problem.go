package host

import (
	"strings"

	"go.uber.org/zap"
)

// Problem is a configuration that cannot be used: where, which key, why, and what to do.
type Problem struct {
	Source string // the configuration's URIs
	Key    string // a::b::c
	Cause  string
	Remedy string
}

func (p *Problem) Error() string {
	parts := []string{}
	for _, part := range []string{p.Source, p.Key, p.Cause} {
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
	return []zap.Field{zap.String("configuration", p.Source), zap.String("key", p.Key), zap.String("cause", p.Cause), zap.String("remedy", p.Remedy)}
}

func problem(key string, err error, remedy string) *Problem {
	return &Problem{Key: key, Cause: oneLine(err.Error()), Remedy: remedy}
}

// oneLine folds an error of several lines: a log record is one.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
