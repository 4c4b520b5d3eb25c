package main

import (
	"io"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newLogger writes JSON lines without a time, which Lambda adds.
func newLogger(out io.Writer, name string) (*zap.Logger, zap.AtomicLevel) {
	level := zap.NewAtomicLevelAt(zapcore.InfoLevel)
	if parsed, err := zapcore.ParseLevel(strings.ToLower(name)); err == nil && name != "" {
		level.SetLevel(parsed)
	}
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		LevelKey: "level", MessageKey: "msg", EncodeLevel: zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.StringDurationEncoder,
	})
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(out)), level), zap.ErrorOutput(zapcore.AddSync(io.Discard))), level
}
