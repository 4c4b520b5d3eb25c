package host

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.uber.org/zap"
)

// extend makes the extensions, those that others depend on first.
func (h *Host) extend(ctx context.Context, c *config, f Factories) error {
	for _, id := range c.service.Extensions {
		factory := find(plain(f.Extensions), id.Type()).(extension.Factory)
		made, err := factory.Create(ctx, extension.Settings{ID: id, TelemetrySettings: h.telemetry(id), BuildInfo: h.info}, c.extensions[id])
		if err == nil && made == nil {
			err = fmt.Errorf("its factory made nothing")
		}
		if err != nil {
			return problem("extensions::"+id.String(), err, "")
		}
		h.extensions[id] = made
	}
	var began []component.ID
	done := map[component.ID]bool{}
	var visit func(id component.ID) error
	visit = func(id component.ID) error {
		if done[id] {
			return nil
		}
		if slices.Contains(began, id) {
			return &Problem{Key: "extensions::" + id.String(), Cause: fmt.Sprintf("extensions depend on each other in a circle: %v", began), Remedy: "take one out of service::extensions"}
		}
		began = append(began, id)
		if d, ok := h.extensions[id].(extensioncapabilities.Dependent); ok {
			for _, needed := range d.Dependencies() {
				if _, ok := h.extensions[needed]; !ok {
					return &Problem{Key: "extensions::" + id.String(), Cause: fmt.Sprintf("it needs the extension %q", needed), Remedy: "name that in service::extensions"}
				}
				if err := visit(needed); err != nil {
					return err
				}
			}
		}
		done[id] = true
		h.add(part{section: "extensions", id: id, Component: h.extensions[id]})
		return nil
	}
	for _, id := range c.service.Extensions {
		if err := visit(id); err != nil {
			return err
		}
	}
	return nil
}

// ready tells the extensions that want to know that data may come, and what the configuration is.
func (h *Host) ready(ctx context.Context) {
	h.tell(ctx, "extension is not ready", func(c component.Component) (err error) {
		if w, ok := c.(extensioncapabilities.ConfigSnapshotWatcher); ok {
			err = w.NotifyConfigSnapshot(ctx, extensioncapabilities.NewConfigSnapshot(h.conf, h.conf))
		}
		if w, ok := c.(extensioncapabilities.PipelineWatcher); ok && err == nil {
			err = w.Ready()
		}
		return err
	})
}

func (h *Host) notReady(ctx context.Context) {
	h.tell(ctx, "extension did not get ready for the end", func(c component.Component) error {
		if w, ok := c.(extensioncapabilities.PipelineWatcher); ok {
			return w.NotReady()
		}
		return nil
	})
}

// tell calls each extension; one that fails costs the others nothing.
func (h *Host) tell(ctx context.Context, failure string, what func(component.Component) error) {
	for p := range h.every("extensions") {
		if err := within(ctx, func(context.Context) error { return what(p.Component) }); err != nil {
			h.logger.Warn(failure, zap.String("component", p.id.String()), zap.Error(err))
		}
	}
}
