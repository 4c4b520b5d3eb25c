package host

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pipeline"
)

// config is a configuration whose components are decoded and validated.
type config struct {
	receivers, processors, exporters, extensions, connectors map[component.ID]component.Config
	service                                                  service
}

type service struct {
	Extensions []component.ID                `mapstructure:"extensions"`
	Pipelines  map[pipeline.ID]*pipelineKeys `mapstructure:"pipelines"`
	Telemetry  struct {
		Logs struct {
			Level string `mapstructure:"level"`
		} `mapstructure:"logs"`
		// The stock service's own metrics, traces and resource: this host has none, and a configuration that has them is good.
		Metrics  map[string]any `mapstructure:"metrics"`
		Traces   map[string]any `mapstructure:"traces"`
		Resource map[string]any `mapstructure:"resource"`
	} `mapstructure:"telemetry"`
}

type pipelineKeys struct {
	Receivers  []component.ID `mapstructure:"receivers"`
	Processors []component.ID `mapstructure:"processors"`
	Exporters  []component.ID `mapstructure:"exporters"`
}

func (p *pipelineKeys) of(section string) []component.ID {
	return map[string][]component.ID{"receivers": p.Receivers, "processors": p.Processors, "exporters": p.Exporters}[section]
}

var sections = []string{"receivers", "processors", "exporters", "extensions", "connectors", "service"}

func decode(conf *confmap.Conf, f Factories) (*config, error) {
	for key := range conf.ToStringMap() {
		if !slices.Contains(sections, key) {
			return nil, &Problem{Key: key, Cause: "unknown key", Remedy: "known are " + strings.Join(sections, ", ")}
		}
	}
	f.alias()
	c := &config{}
	var err error
	if c.receivers, err = components(conf, "receivers", plain(f.Receivers)); err != nil {
		return nil, err
	}
	if c.processors, err = components(conf, "processors", plain(f.Processors)); err != nil {
		return nil, err
	}
	if c.exporters, err = components(conf, "exporters", plain(f.Exporters)); err != nil {
		return nil, err
	}
	if c.extensions, err = components(conf, "extensions", plain(f.Extensions)); err != nil {
		return nil, err
	}
	if c.connectors, err = components(conf, "connectors", plain(f.Connectors)); err != nil {
		return nil, err
	}
	sub, err := conf.Sub("service")
	if err != nil {
		return nil, problem("service", err, "it holds pipelines, extensions and telemetry")
	}
	if err := sub.Unmarshal(&c.service); err != nil {
		return nil, problem("service", err, "it holds pipelines, extensions and telemetry::logs::level")
	}
	return c, c.check()
}

func components(conf *confmap.Conf, section string, factories []component.Factory) (map[component.ID]component.Config, error) {
	found := map[component.ID]component.Config{}
	all, err := conf.Sub(section)
	if err != nil {
		return nil, problem(section, err, "it holds components by name")
	}
	for name := range all.ToStringMap() {
		key := section + "::" + name
		var id component.ID
		if err := id.UnmarshalText([]byte(name)); err != nil {
			return nil, problem(key, err, "a component is named type or type/name")
		}
		factory := find(factories, id.Type())
		if factory == nil {
			return nil, &Problem{Key: key, Cause: fmt.Sprintf("this layer has no component %q", id.Type()), Remedy: fmt.Sprintf("%s of this layer: %s", section, strings.Join(names(factories), ", "))}
		}
		sub, err := all.Sub(name)
		if err != nil {
			return nil, problem(key, err, "it must be keys with values")
		}
		cfg, err := unmarshal(sub, factory, section)
		if err != nil {
			return nil, problem(key, err, "keys that it knows: "+strings.Join(keys(cfg), ", "))
		}
		if err := confmap.Validate(cfg); err != nil {
			return nil, problem(key, err, "keys that it knows: "+strings.Join(keys(cfg), ", "))
		}
		found[id] = cfg
	}
	return found, nil
}

// The queues of stock exporters hide data from the host, which would be cut by a freeze: the host's own stands before them instead.
var hidden = []string{"sending_queue", "remote_write_queue", "retry_on_failure"}

func unmarshal(sub *confmap.Conf, factory component.Factory, section string) (component.Config, error) {
	cfg := factory.CreateDefaultConfig()
	if section == "exporters" && !ours(cfg) {
		plain := map[string]any{}
		for _, key := range keys(cfg) {
			if slices.Contains(hidden, key) && !sub.IsSet(key+"::enabled") {
				plain[key] = map[string]any{"enabled": false}
			}
		}
		visible := confmap.NewFromStringMap(sub.ToStringMap())
		if err := visible.Merge(confmap.NewFromStringMap(plain)); err == nil && len(plain) > 0 {
			if err := visible.Unmarshal(&cfg); err == nil {
				return cfg, nil
			}
			cfg = factory.CreateDefaultConfig() // it has such a key in a form of its own, or an error to be told as the user wrote it
		}
	}
	return cfg, sub.Unmarshal(&cfg)
}

// ours tells whether a configuration belongs to a component of this layer.
func ours(cfg component.Config) bool {
	t := reflect.TypeOf(cfg)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return strings.HasPrefix(t.PkgPath(), "github.com/open-telemetry/opentelemetry-lambda/collector/")
}

// check makes sure that the pipelines name components that are there.
func (c *config) check() error {
	for _, id := range c.service.Extensions {
		if _, ok := c.extensions[id]; !ok {
			return missing("service::extensions", "extensions", id)
		}
	}
	for id, p := range c.service.Pipelines {
		key := "service::pipelines::" + id.String()
		if p == nil || len(p.Receivers) == 0 || len(p.Exporters) == 0 {
			return &Problem{Key: key, Cause: "no receivers or no exporters", Remedy: "a pipeline needs at least one of each"}
		}
		for _, section := range []string{"receivers", "processors", "exporters"} {
			named := p.of(section)
			configured := map[string]map[component.ID]component.Config{"receivers": c.receivers, "processors": c.processors, "exporters": c.exporters}[section]
			for i, component := range named {
				_, connected := c.connectors[component]
				if _, ok := configured[component]; !ok && (!connected || section == "processors") {
					return missing(key+"::"+section, section, component)
				}
				if slices.Contains(named[:i], component) {
					return &Problem{Key: key + "::" + section, Cause: fmt.Sprintf("%q is named twice", component), Remedy: "name it once"}
				}
			}
		}
	}
	if len(c.service.Pipelines) == 0 {
		return &Problem{Key: "service::pipelines", Cause: "there are none", Remedy: "name the receivers and exporters of traces, metrics or logs"}
	}
	return nil
}

func missing(key, section string, id component.ID) *Problem {
	return &Problem{Key: key, Cause: fmt.Sprintf("%q is not configured", id), Remedy: fmt.Sprintf("add it under %s", section)}
}

// keys are the names that a component's configuration has at its top level.
func keys(cfg component.Config) (names []string) {
	t := reflect.TypeOf(cfg)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("mapstructure"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
