package debugexporter

import (
	"testing"

	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

func TestConfig(t *testing.T) {
	if cfg := trial.Documented[*Config](t, createDefaultConfig)["debug/all"]; cfg.Verbosity != "detailed" {
		t.Errorf("%+v", cfg)
	}
	if _, err := trial.Config[*Config](t, createDefaultConfig, "{verbosity: loud}"); err == nil {
		t.Error("any verbosity is taken")
	}
}
