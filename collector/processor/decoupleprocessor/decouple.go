package decoupleprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/processor"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/staged"
)

// decouple answers at once and hands on, one request after the other, from a goroutine of its own.
type decouple struct {
	staged.Consumer
	*delivery.Stage

	cfg  *Config
	set  processor.Settings
	next staged.Next
}

// newProcessor keeps nothing where lanes behind it do.
func newProcessor(set processor.Settings, config component.Config, next staged.Next) staged.Processor {
	if next.Raw() != nil {
		return staged.NewThrough(next)
	}
	d := &decouple{cfg: config.(*Config), set: set, next: next}
	d.Take = func(_ context.Context, load delivery.Load) error { d.Put(load); return nil }
	return d
}

// Start starts the stage.
func (d *decouple) Start(_ context.Context, host component.Host) error {
	d.Stage = delivery.NewStage(delivery.StageSettings{
		Signal: d.next.Signal, Logger: d.set.Logger, MaxLoads: d.cfg.MaxQueueSize, MaxBytes: staged.MaxBytes, Single: true,
		Deliver: func(ctx context.Context, loads []delivery.Load) error { return d.next.Consume(ctx, loads[0].Data) },
	}, delivery.TallyOf(host))
	return nil
}

// Shutdown drops and counts what the host's last flush left.
func (d *decouple) Shutdown(context.Context) error {
	if d.Stage != nil {
		d.Stop()
	}
	return nil
}
