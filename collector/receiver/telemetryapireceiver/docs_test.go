package telemetryapireceiver

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-lambda/collector/trial"
)

func TestREADME(t *testing.T) {
	cfg := trial.Documented[*Config](t, createDefaultConfig)["telemetryapi/all"]
	if cfg.Port != 4325 || len(cfg.Types) != 2 || cfg.MaxItems != 1000 || cfg.MetricsTemporality != "cumulative" || cfg.LogReport || cfg.InitSpan || cfg.FailureSpans {
		t.Errorf("%+v", cfg)
	}
}

// TestDocs holds docs/telemetry.md to the metrics, the announcement's format and the names of ends.
func TestDocs(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	for _, i := range instruments {
		kind := "counter"
		if i.bounds != nil {
			kind = "histogram"
		}
		if row := fmt.Sprintf("| `%s` | %s | %s | %s |\n", i.name, i.unit, kind, i.description); !strings.Contains(page, row) {
			t.Errorf("no row %s", row)
		}
	}
	for _, text := range []string{announcementVariable, fmt.Sprintf("port %d", defaultPort), fmt.Sprintf("at most %d bytes", largestAnnouncement), timedOut, exited, noMemory} {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
	example := ""
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "    "+announcementVersion+" 8") {
			example = strings.TrimSpace(line)
		}
	}
	if a := parseAnnouncement(example); a == nil || a.name != "/orders/{id}" || a.trigger != "http" || !a.sampled || !a.parent.IsEmpty() {
		t.Errorf("the example %q is read as %+v", example, a)
	}
}
