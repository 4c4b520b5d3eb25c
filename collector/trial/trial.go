// Package trial is what the tests of components share.
package trial

import (
	"os"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/keydoc"
)

// Host counts, as the real one does.
type Host struct {
	component.Host
	Extensions map[component.ID]component.Component
	tally      delivery.Tally
}

// GetExtensions is what the test put there.
func (h *Host) GetExtensions() map[component.ID]component.Component { return h.Extensions }

// Tally is the account of records.
func (h *Host) Tally() *delivery.Tally { return &h.tally }

// Telemetry is that of a component whose log nobody reads.
func Telemetry() component.TelemetrySettings {
	return component.TelemetrySettings{Logger: zap.NewNop()}
}

// Config decodes a component's keys, written in YAML, over its defaults, and validates them.
func Config[C component.Config](t testing.TB, defaults component.CreateDefaultConfigFunc, text string) (C, error) {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		t.Fatal(err)
	}
	cfg := defaults().(C)
	if err = conf.Unmarshal(cfg); err == nil {
		err = confmap.Validate(cfg)
	}
	return cfg, err
}

// Documented fails unless the component's README has the table of its keys, and testdata/config.yaml, which holds configurations by
// name, is good in all of them and sets every key in one or another. It returns them.
func Documented[C component.Config](t *testing.T, defaults component.CreateDefaultConfigFunc) map[string]C {
	t.Helper()
	keydoc.Check(t, "README.md", "keys", func() (string, error) { return keydoc.Table(defaults()) })
	text, err := os.ReadFile("testdata/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	retrieved, err := confmap.NewRetrievedFromYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	all, err := retrieved.AsConf()
	if err != nil {
		t.Fatal(err)
	}
	found, set := map[string]C{}, map[string]bool{}
	for name := range all.ToStringMap() {
		sub, err := all.Sub(name)
		if err != nil {
			t.Fatal(err)
		}
		cfg := defaults().(C)
		if err = sub.Unmarshal(cfg); err == nil {
			err = confmap.Validate(cfg)
		}
		if err != nil {
			t.Errorf("testdata/config.yaml: %s: %v", name, err)
		}
		found[name] = cfg
		for _, key := range keydoc.Keys(defaults()) {
			set[key] = set[key] || sub.IsSet(key)
		}
	}
	for key, given := range set {
		if !given {
			t.Errorf("testdata/config.yaml nowhere sets %s", key)
		}
	}
	return found
}
