package app

import (
	"encoding/json"
	"testing"

	"github.com/open-telemetry/opentelemetry-lambda/collector/host"
)

func TestListingNamesTypesModulesAndSources(t *testing.T) {
	components := Builtin()
	components.Modules = map[string]string{"exporter debug": "example.com/debug v1.2.3"}
	var got map[string][]any
	if err := json.Unmarshal([]byte(listed(components, true)), &got); err != nil {
		t.Fatal(err)
	}
	for _, entry := range got["exporters"] {
		e := entry.(map[string]any)
		if module, has := e["module"]; has != (e["type"] == "debug") || (has && module != "example.com/debug v1.2.3") {
			t.Errorf("%v", e)
		}
	}
	if len(got["exporters"]) != len(components.Exporters) || len(got["sources"]) != 5 || got["sources"][0] != "env" {
		t.Errorf("%v", got)
	}
	if text := listed(host.Factories{}, false); text != "receivers: \nprocessors: \nexporters: \nextensions: \nconnectors: \nsources: env, file, http, https, yaml\n" {
		t.Errorf("%q", text)
	}
}
