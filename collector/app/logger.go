package app

import (
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
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

// newLogger writes one line a record, to Lambda's variables: as JSON with the keys by which Lambda filters (timestamp, level), or as text.
func newLogger(out io.Writer, getenv func(string) string, environment []string) (*zap.Logger, *logLevel, *lines) {
	level := &logLevel{}
	for _, name := range []string{"AWS_LAMBDA_LOG_LEVEL", "OPENTELEMETRY_EXTENSION_LOG_LEVEL"} { // the last one counts
		switch value := strings.ToLower(strings.TrimSpace(getenv(name))); value {
		case "":
		case "trace":
			_ = level.Set("debug")
		default:
			_ = level.Set(value) // an unknown name changes nothing
		}
	}
	core := &lines{
		LevelEnabler: level, out: zapcore.Lock(zapcore.AddSync(out)), text: strings.EqualFold(getenv("AWS_LAMBDA_LOG_FORMAT"), "text"),
		calm: &calm{seen: map[string]*spell{}}, secrets: &secrets{},
	}
	core.secrets.environment(environment)
	// A component that calls Fatal would end the process; its panic is an error wherever the host called it.
	return zap.New(core, zap.ErrorOutput(zapcore.AddSync(io.Discard)), zap.WithFatalHook(zapcore.WriteThenPanic)), level, core
}

// lines is a zapcore.Core. zap's own JSON encoder would bring encoding/json, half a megabyte.
type lines struct {
	zapcore.LevelEnabler
	out     zapcore.WriteSyncer
	fields  []zapcore.Field
	text    bool
	calm    *calm
	secrets *secrets
}

func (c *lines) With(fields []zapcore.Field) zapcore.Core {
	with := *c
	with.fields = slices.Concat(c.fields, fields)
	return &with
}

func (c *lines) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

func (c *lines) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	if entry.Level >= zapcore.WarnLevel {
		suppressed, write := c.calm.may(entry, c.fields)
		if !write {
			return nil
		}
		if suppressed > 0 {
			fields = append(fields[:len(fields):len(fields)], zap.Int("suppressed", suppressed))
		}
	}
	var b []byte
	if c.text {
		b = append([]byte("collector "), entry.Level.CapitalString()...)
		b = append(append(b, ' '), oneLine(entry.Message)...)
	} else {
		b = append(entry.Time.UTC().AppendFormat([]byte(`{"timestamp":"`), "2006-01-02T15:04:05.000Z"), `","level":"`...)
		b = append(append(b, entry.Level.CapitalString()...), `","msg":`...)
		b = jsonwrite.String(b, entry.Message)
	}
	for _, list := range [][]zapcore.Field{c.fields, fields} {
		for _, field := range list {
			if field.Type == zapcore.SkipType || field.Type == zapcore.NamespaceType {
				continue
			}
			if c.text {
				b = append(append(append(b, ' '), field.Key...), '=')
			} else {
				b = append(jsonwrite.String(append(b, ','), field.Key), ':')
			}
			b = jsonwrite.Value(b, valueOf(field))
		}
	}
	if !c.text {
		b = append(b, '}')
	}
	_, err := c.out.Write(append(c.secrets.hide(b), '\n'))
	return err
}

func (c *lines) Sync() error { return c.out.Sync() }

// oneLine keeps a message from looking like two records of a text log.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

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
