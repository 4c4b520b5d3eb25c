package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"
)

// config is a configuration whose components are decoded and validated.
type config struct {
	receivers, processors, exporters, extensions, connectors map[component.ID]component.Config
	service                                                  service
	late                                                     map[component.ID]*keeper // exporters whose values are not there yet
}

type service struct {
	Extensions []component.ID               `mapstructure:"extensions"`
	Pipelines  map[pipeline.ID]pipelineKeys `mapstructure:"pipelines"`
	Telemetry  telemetryKeys                `mapstructure:"telemetry"`
}

type telemetryKeys struct {
	Logs logsKeys `mapstructure:"logs"`
	// The stock service's own metrics, traces and resource: this host has none, and a configuration that has them is good.
	Metrics  map[string]any `mapstructure:"metrics"`
	Traces   map[string]any `mapstructure:"traces"`
	Resource map[string]any `mapstructure:"resource"`
}

type logsKeys struct {
	Level string `mapstructure:"level"`
}

type pipelineKeys struct {
	Receivers  []component.ID `mapstructure:"receivers"`
	Processors []component.ID `mapstructure:"processors"`
	Exporters  []component.ID `mapstructure:"exporters"`
}

func (p pipelineKeys) of(section string) []component.ID {
	return map[string][]component.ID{"receivers": p.Receivers, "processors": p.Processors, "exporters": p.Exporters}[section]
}

var sections = []string{"receivers", "processors", "exporters", "extensions", "connectors", "service"}

func decode(l *Loaded, f Factories, logger *zap.Logger) (*config, error) {
	conf := l.Conf
	for key := range conf.ToStringMap() {
		if !slices.Contains(sections, key) {
			return nil, &Problem{Key: key, Cause: "unknown key " + strconv.Quote(key), Remedy: suggest(key, sections)}
		}
	}
	f.alias()
	c := &config{late: map[component.ID]*keeper{}}
	var err error
	if c.receivers, err = components(conf, "receivers", plain(f.Receivers)); err != nil {
		return nil, err
	}
	if c.processors, err = components(conf, "processors", plain(f.Processors)); err != nil {
		return nil, err
	}
	if err = c.postpone(l, f, logger); err != nil {
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
		return nil, wrong("service", sub, &c.service, err)
	}
	return c, c.check()
}

// postpone decodes the exporters but for those whose values are not there yet.
func (c *config) postpone(l *Loaded, f Factories, logger *zap.Logger) error {
	all, err := l.Sub("exporters")
	if err != nil {
		return problem("exporters", err, "it holds components by name")
	}
	wanted, but := map[string][]string{}, []string{}
	for name, value := range all.ToStringMap() {
		if uris := lateIn(value); len(uris) > 0 {
			wanted[name], but = uris, append(but, name)
		}
	}
	if c.exporters, err = components(l.Conf, "exporters", plain(f.Exporters), but...); err != nil {
		return err
	}
	for name, uris := range wanted {
		id, factory, err := identify("exporters", name, plain(f.Exporters))
		if err != nil {
			return err
		}
		c.late[id] = newKeeper(logger.With(zap.String("component", name)), func(ctx context.Context) (component.Config, error) {
			conf, err := l.fetch(ctx, uris)
			if err != nil {
				return nil, err
			}
			if l.OnFetch != nil {
				l.OnFetch(conf.ToStringMap())
			}
			all, err := conf.Sub("exporters")
			if err != nil {
				return nil, err
			}
			return one(all, "exporters", name, factory)
		})
		c.exporters[id] = nil
	}
	return nil
}

// components decodes and validates those of a section, but for some.
func components(conf *confmap.Conf, section string, factories []component.Factory, but ...string) (map[component.ID]component.Config, error) {
	found := map[component.ID]component.Config{}
	all, err := conf.Sub(section)
	if err != nil {
		return nil, problem(section, err, "it holds components by name")
	}
	for name := range all.ToStringMap() {
		if slices.Contains(but, name) {
			continue
		}
		id, factory, err := identify(section, name, factories)
		if err != nil {
			return nil, err
		}
		if found[id], err = one(all, section, name, factory); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// one decodes and validates the component of a name in the configuration of its section.
func one(all *confmap.Conf, section, name string, factory component.Factory) (component.Config, error) {
	key := section + "::" + name
	sub, err := all.Sub(name)
	if err != nil {
		return nil, problem(key, err, "it must be keys with values")
	}
	cfg, err := unmarshal(sub, factory, section)
	if err == nil {
		err = confmap.Validate(cfg)
	}
	if err != nil {
		return nil, wrong(key, sub, cfg, err)
	}
	return cfg, nil
}

func identify(section, name string, factories []component.Factory) (id component.ID, factory component.Factory, err error) {
	key := section + "::" + name
	if err := id.UnmarshalText([]byte(name)); err != nil {
		return id, nil, problem(key, err, "a component is named type or type/name")
	}
	if factory = find(factories, id.Type()); factory == nil {
		return id, nil, &Problem{Key: key, Cause: fmt.Sprintf("this layer has no component %q", id.Type()), Remedy: suggest(id.Type().String(), names(factories)) + "; " + onDemand}
	}
	return id, factory, nil
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
		visible := confmap.New()
		if err := errors.Join(visible.Merge(sub), visible.Merge(confmap.NewFromStringMap(plain))); err == nil && len(plain) > 0 {
			if err := into(visible, &cfg); err == nil {
				return cfg, nil
			}
			cfg = factory.CreateDefaultConfig() // it has such a key in a form of its own, or an error to be told as the user wrote it
		}
	}
	return cfg, into(sub, &cfg)
}

// into decodes a configuration. A pointer to the pointer is a type that no program has, and reflect would look through all types for it.
func into(conf *confmap.Conf, cfg *component.Config) error {
	if reflect.TypeOf(*cfg).Kind() == reflect.Pointer {
		return conf.Unmarshal(*cfg)
	}
	return conf.Unmarshal(cfg)
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
			return missing("service::extensions", "extensions", id, ids(c.extensions))
		}
	}
	for id, p := range c.service.Pipelines {
		key := "service::pipelines::" + id.String()
		if len(p.Receivers) == 0 || len(p.Exporters) == 0 {
			return &Problem{Key: key, Cause: "no receivers or no exporters", Remedy: "a pipeline needs at least one of each"}
		}
		for _, section := range []string{"receivers", "processors", "exporters"} {
			named := p.of(section)
			configured := map[string]map[component.ID]component.Config{"receivers": c.receivers, "processors": c.processors, "exporters": c.exporters}[section]
			for i, component := range named {
				_, connected := c.connectors[component]
				if _, ok := configured[component]; !ok && (!connected || section == "processors") {
					return missing(key+"::"+section, section, component, append(ids(configured), ids(c.connectors)...))
				}
				if slices.Contains(named[:i], component) {
					return &Problem{Key: key + "::" + section, Cause: fmt.Sprintf("%q is named twice", component), Remedy: "name it once", item: component.String()}
				}
			}
		}
	}
	if err := c.circles(); err != nil {
		return err
	}
	if len(c.service.Pipelines) == 0 {
		return &Problem{Key: "service::pipelines", Cause: "there are none", Remedy: "name the receivers and exporters of traces, metrics or logs"}
	}
	return nil
}

// circles finds exporters that send to a receiver of this very collector: the data would go round for ever.
func (c *config) circles() error {
	for rid, r := range c.receivers {
		receiver, ok := r.(interface{ Listens() []string })
		if !ok {
			continue
		}
		for _, endpoint := range receiver.Listens() {
			_, port, _ := net.SplitHostPort(endpoint)
			for eid, e := range c.exporters {
				exporter, ok := e.(interface{ Destinations() map[string]string })
				if !ok {
					continue
				}
				for key, destination := range exporter.Destinations() {
					if host, p, err := net.SplitHostPort(destination); err == nil && p == port && loopback(host) {
						return &Problem{Key: "exporters::" + eid.String() + "::" + key, Cause: fmt.Sprintf("%s is this collector's own receiver %s", destination, rid), Remedy: "set the endpoint to where telemetry goes in the end"}
					}
				}
			}
		}
	}
	return nil
}

func ids(configured map[component.ID]component.Config) (names []string) {
	for id := range configured {
		names = append(names, id.String())
	}
	sort.Strings(names)
	return names
}

func missing(key, section string, id component.ID, configured []string) *Problem {
	remedy := "add it under " + section
	if near := nearest(id.String(), configured); near != "" {
		remedy = "did you mean " + near + "? Else " + remedy
	}
	return &Problem{Key: key, Cause: fmt.Sprintf("%q is not configured", id), Remedy: remedy, item: id.String()}
}
