package app

import (
	"errors"
	"fmt"
	"os"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"

	"github.com/open-telemetry/opentelemetry-lambda/collector/keydoc"
)

// quoted are the strings of a list in components.toml.
func quoted(t *testing.T, key string) (found []string) {
	text, err := os.ReadFile("../components.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(text), "\n"+key+" = [")
	list, _, closed := strings.Cut(list, "]")
	if !ok || !closed {
		t.Fatalf("components.toml has no list %s", key)
	}
	for _, one := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(list, -1) {
		found = append(found, one[1])
	}
	slices.Sort(found)
	return found
}

func TestTheCatalogueOfComponentsKnowsWhatIsBuiltIn(t *testing.T) {
	var want []string
	for _, kind := range []string{"receiver", "processor", "exporter", "extension", "connector"} {
		for _, name := range Builtin().Names(kind + "s") {
			want = append(want, kind+"/"+name)
		}
	}
	want = append(want, "exporter/otlp_http", "exporter/otlp_grpc") // the other names of otlphttp and otlp
	slices.Sort(want)
	if got := quoted(t, "built-in"); !slices.Equal(got, want) {
		t.Errorf("components.toml: built-in is %v, the program has %v", got, want)
	}
	if got, want := quoted(t, "schemes"), Builtin().Schemes(); !slices.Equal(got, want) {
		t.Errorf("components.toml: schemes are %v, the program has %v", got, want)
	}
}

func TestThePageHasTheKeysOfEveryBuiltInComponent(t *testing.T) {
	keydoc.Check(t, "../../docs/collector.md", "components", func() (page string, err error) {
		section := func(kind string, f component.Factory) {
			cfg := f.CreateDefaultConfig()
			folder := path.Base(reflect.TypeOf(cfg).Elem().PkgPath())
			table, bad := keydoc.Table(cfg)
			err = errors.Join(err, bad)
			page += fmt.Sprintf("### `%s` %s ([README](../collector/%s/%s/README.md))\n\n%s\n", f.Type(), kind, kind, folder, table)
		}
		all := Builtin()
		for _, f := range all.Receivers {
			section("receiver", f)
		}
		for _, f := range all.Processors {
			section("processor", f)
		}
		for _, f := range all.Exporters {
			section("exporter", f)
		}
		return page, err
	})
}
