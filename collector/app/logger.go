package app

import (
	"io"
	"math"
	"reflect"
	"strconv"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/open-telemetry/opentelemetry-lambda/collector/jsonwrite"
)

// logLevel can be changed by the configuration after the logger was made. (zap's own brings an HTTP handler and encoding/json.)
type logLevel struct{ atomic.Int32 }

// Enabled tells whether a record of the level is written.
func (l *logLevel) Enabled(level zapcore.Level) bool { return int32(level) >= l.Load() }

// Set changes the level by its name.
func (l *logLevel) Set(name string) error {
	parsed, err := zapcore.ParseLevel(name)
	if err == nil {
		l.Store(int32(parsed))
	}
	return err
}

// newLogger writes a JSON object a line, without a time, which Lambda adds.
func newLogger(out io.Writer, name string) (*zap.Logger, *logLevel) {
	level := &logLevel{}
	_ = level.Set(name) // an unknown name leaves info
	return zap.New(&lines{LevelEnabler: level, out: zapcore.Lock(zapcore.AddSync(out))}, zap.ErrorOutput(zapcore.AddSync(io.Discard))), level
}

// lines is a zapcore.Core. zap's own JSON encoder would bring encoding/json, half a megabyte.
type lines struct {
	zapcore.LevelEnabler
	out    zapcore.WriteSyncer
	fields []zapcore.Field
}

func (c *lines) With(fields []zapcore.Field) zapcore.Core {
	return &lines{LevelEnabler: c.LevelEnabler, out: c.out, fields: append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

func (c *lines) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

func (c *lines) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	b := append(jsonwrite.String([]byte(`{"level":`), entry.Level.String()), `,"msg":`...)
	b = jsonwrite.String(b, entry.Message)
	for _, list := range [][]zapcore.Field{c.fields, fields} {
		for _, field := range list {
			if field.Type == zapcore.SkipType || field.Type == zapcore.NamespaceType {
				continue
			}
			b = append(jsonwrite.String(append(b, ','), field.Key), ':')
			b = jsonwrite.Value(b, valueOf(field))
		}
	}
	_, err := c.out.Write(append(b, '}', '\n'))
	return err
}

func (c *lines) Sync() error { return c.out.Sync() }

// valueOf does what Field.AddTo does. It calls no method of zapcore's encoders and marshalers: the first such call would keep all of
// them, encoding/json and YAML's writer in the binary. Objects that want to be asked for their fields are printed as they are.
func valueOf(f zapcore.Field) any {
	switch f.Type {
	case zapcore.StringType:
		return f.String
	case zapcore.BoolType:
		return f.Integer == 1
	case zapcore.Int64Type, zapcore.Int32Type, zapcore.Int16Type, zapcore.Int8Type, zapcore.Uint32Type, zapcore.Uint16Type, zapcore.Uint8Type:
		return f.Integer
	case zapcore.Uint64Type, zapcore.UintptrType:
		return strconv.FormatUint(uint64(f.Integer), 10)
	case zapcore.Float64Type:
		return strconv.FormatFloat(math.Float64frombits(uint64(f.Integer)), 'g', -1, 64)
	case zapcore.Float32Type:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(f.Integer))), 'g', -1, 32)
	case zapcore.DurationType:
		return time.Duration(f.Integer).String()
	case zapcore.TimeType:
		return time.Unix(0, f.Integer).UTC().Format(time.RFC3339Nano)
	case zapcore.ByteStringType, zapcore.BinaryType:
		return string(f.Interface.([]byte))
	case zapcore.ArrayMarshalerType: // zap's own are slices
		items := reflect.ValueOf(f.Interface)
		if items.Kind() != reflect.Slice {
			return f.Interface
		}
		list := make([]any, items.Len())
		for i := range list {
			list[i] = items.Index(i).Interface()
		}
		return list
	default: // errors and Stringers say what they are
		return f.Interface
	}
}
