package host

import (
	"fmt"
	"testing"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/keydoc"
)

func TestThePageHasTheMetricsOfTheAccount(t *testing.T) {
	keydoc.Check(t, "../../docs/collector.md", "account", func() (string, error) {
		out, reasons := "| metric | | attributes |\n|---|---|---|\n", ""
		for i, why := range delivery.Reasons {
			if i > 0 {
				reasons += ", "
			}
			reasons += fmt.Sprintf("`%s`", why)
		}
		seen := map[string]bool{}
		for _, f := range fates() {
			attributes := "`signal`: `traces`, `metrics`, `logs`"
			if f.reason != "" {
				attributes += "; `reason`: " + reasons
			}
			if !seen[f.name] {
				out += fmt.Sprintf("| `%s` | %s | %s |\n", f.name, f.description, attributes)
			}
			seen[f.name] = true
		}
		return out, nil
	})
}
