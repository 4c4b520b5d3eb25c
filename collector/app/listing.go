package app

import (
	"strings"

	"github.com/open-telemetry/opentelemetry-lambda/collector/host"
	"github.com/open-telemetry/opentelemetry-lambda/collector/jsonwrite"
)

// listed says what a binary contains, section by section: for people, or as one JSON object of lists of {type, module}.
// Components of the layer itself have no module.
func listed(components host.Factories, inJSON bool) string {
	var text strings.Builder
	object := map[string]any{}
	for _, section := range []string{"receivers", "processors", "exporters", "extensions", "connectors"} {
		names := components.Names(section)
		text.WriteString(section + ": " + strings.Join(names, ", ") + "\n")
		list := make([]any, len(names))
		for i, name := range names {
			entry := map[string]any{"type": name}
			kind := strings.TrimSuffix(section, "s")
			if module := components.Modules[kind+" "+name]; module != "" {
				entry["module"] = module
				text.WriteString("  " + name + ": " + module + "\n")
			}
			list[i] = entry
		}
		object[section] = list
	}
	schemes := components.Schemes()
	text.WriteString("sources: " + strings.Join(schemes, ", ") + "\n")
	if !inJSON {
		return text.String()
	}
	sources := make([]any, len(schemes))
	for i, scheme := range schemes {
		sources[i] = scheme
	}
	object["sources"] = sources
	return string(jsonwrite.Value(nil, object)) + "\n"
}
