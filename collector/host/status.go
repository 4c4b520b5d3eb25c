package host

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"
)

// The same status of the same component is logged once in this time.
const statusPause = time.Minute

var kinds = map[string]component.Kind{
	"receivers": component.KindReceiver, "processors": component.KindProcessor, "exporters": component.KindExporter,
	"extensions": component.KindExtension, "connectors": component.KindConnector,
}

// partHost is the host as one component sees it: it also takes that component's status.
type partHost struct {
	*Host
	part *part
}

// Report takes the status of a component. Nothing that a component reports ends the process.
func (p partHost) Report(event *componentstatus.Event) { p.report(p.part, event) }

func (h *Host) report(p *part, event *componentstatus.Event) {
	h.statuses.Lock()
	if !follows(p.status, event.Status()) {
		h.statuses.Unlock()
		return
	}
	changed := p.status != event.Status()
	p.status = event.Status()
	loud := componentstatus.StatusIsError(p.status) && (changed || time.Since(p.logged) > statusPause)
	if loud {
		p.logged = time.Now()
	}
	h.statuses.Unlock()
	if loud {
		log := h.logger.Error
		if event.Status() == componentstatus.StatusRecoverableError {
			log = h.logger.Warn
		}
		log("component reports a problem, the extension goes on", zap.String("component", p.id.String()), zap.String("status", event.Status().String()), zap.Error(event.Err()))
	}
	for e := range h.every("extensions") {
		if w, ok := e.Component.(componentstatus.Watcher); ok {
			h.guard(func() { w.ComponentStatusChanged(p.instance, event) })
		}
	}
}

func (h *Host) reportStarted(p *part) {
	h.statuses.Lock()
	starting := p.status == componentstatus.StatusStarting
	h.statuses.Unlock()
	if starting {
		h.report(p, componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

// Starting is the key of the component that is being started, "" when none is.
func (h *Host) Starting() string {
	h.statuses.Lock()
	defer h.statuses.Unlock()
	for _, p := range h.parts {
		if p.status == componentstatus.StatusStarting {
			return p.section + "::" + p.id.String()
		}
	}
	return ""
}

// follows tells whether a component may get from one status to another, as the Collector defines it.
func follows(from, to componentstatus.Status) bool {
	switch from {
	case componentstatus.StatusNone:
		return to == componentstatus.StatusStarting
	case componentstatus.StatusStopped, componentstatus.StatusFatalError:
		return false
	case componentstatus.StatusPermanentError:
		return to == componentstatus.StatusStopping
	case componentstatus.StatusStopping:
		return to == componentstatus.StatusStopped || componentstatus.StatusIsError(to)
	default:
		return to != componentstatus.StatusNone && to != componentstatus.StatusStarting && to != componentstatus.StatusStopped &&
			(to != from || componentstatus.StatusIsError(to))
	}
}

func instance(section string, id component.ID, in []pipeline.ID) *componentstatus.InstanceID {
	return componentstatus.NewInstanceID(id, kinds[section], in...)
}
