package coldstartprocessor

import "go.opentelemetry.io/collector/component"

// Config of the processor: it has no keys.
type Config struct{}

func createDefaultConfig() component.Config { return &Config{} }
