package debugexporter

import (
	"io"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/collector/exporter"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/jsonwrite"
)

// pairs are keys and their values: strings, int64, bool, lists and maps of them, or what has a String method.
type pairs []any

// lines writes messages with pairs: by the extension's logger, or plainly.
type lines struct {
	logger *zap.Logger
	out    io.Writer // nil: by the logger

	mu   sync.Mutex
	tick time.Time
	seen int // batches since then
}

func newExporter(set exporter.Settings, cfg *Config) *debugExporter {
	e := &debugExporter{cfg: cfg, lines: lines{logger: set.Logger}}
	if !cfg.UseInternalLogger {
		e.out = os.Stdout
	}
	return e
}

// sampled tells whether a batch is written, as the stock exporter's logger decides it.
func (l *lines) sampled(cfg *Config) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.tick) >= time.Second {
		l.tick, l.seen = now, 0
	}
	l.seen++
	more := l.seen - cfg.SamplingInitial
	return more <= 0 || (cfg.SamplingThereafter > 0 && more%cfg.SamplingThereafter == 0)
}

func (l *lines) write(message string, with pairs) {
	if l.out == nil {
		fields := make([]zap.Field, 0, len(with)/2)
		for i := 0; i < len(with); i += 2 {
			fields = append(fields, zap.Reflect(with[i].(string), with[i+1]))
		}
		l.logger.Info(message, fields...)
		return
	}
	line := append([]byte(message), "\t{"...)
	for i := 0; i < len(with); i += 2 {
		if i > 0 {
			line = append(line, ", "...)
		}
		line = jsonwrite.Value(append(jsonwrite.String(line, with[i].(string)), ": "...), with[i+1])
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.out.Write(append(line, "}\n"...)) // nobody is helped by an error about a log
}
