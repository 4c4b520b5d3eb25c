package host

import (
	"slices"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/receiver"
)

func TestWithReplacesWhatHasTheSameType(t *testing.T) {
	made := func(name, tells string) receiver.Factory {
		return receiver.NewFactory(component.MustNewType(name), func() component.Config { return &tells })
	}
	f := Factories{Receivers: []receiver.Factory{made("otlp", "ours"), made("other", "ours")}}
	g := f.With(Factories{Receivers: []receiver.Factory{made("otlp", "stock"), made("kafka", "stock")}})
	if got := g.Names("receivers"); !slices.Equal(got, []string{"kafka", "other", "otlp"}) {
		t.Errorf("%v", got)
	}
	if got := *find(g.of("receivers"), component.MustNewType("otlp")).CreateDefaultConfig().(*string); got != "stock" {
		t.Errorf("otlp is %s", got)
	}
	if got := f.Names("receivers"); !slices.Equal(got, []string{"other", "otlp"}) {
		t.Errorf("the first has changed: %v", got)
	}
}
