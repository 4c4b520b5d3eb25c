package batchprocessor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
	"github.com/open-telemetry/opentelemetry-lambda/collector/processor/staged"
)

// batch has a stage for each combination of metadata; without metadata_keys there is one.
type batch struct {
	staged.Consumer

	cfg  *Config
	set  processor.Settings
	next staged.Next

	mu      sync.Mutex
	tally   *delivery.Tally
	holding bool
	stages  map[string]*delivery.Stage
}

var _ delivery.Holder = (*batch)(nil)

// newProcessor keeps nothing where lanes behind it join what waits anyway.
func newProcessor(set processor.Settings, config component.Config, next staged.Next) staged.Processor {
	cfg := config.(*Config)
	if next.Raw() != nil && cfg.SendBatchMaxSize == 0 && len(cfg.MetadataKeys) == 0 {
		return staged.NewThrough(next)
	}
	b := &batch{cfg: cfg, set: set, next: next, stages: map[string]*delivery.Stage{}}
	b.Take = b.put
	return b
}

// Start remembers who counts.
func (b *batch) Start(_ context.Context, host component.Host) error {
	b.tally = delivery.TallyOf(host)
	return nil
}

func (b *batch) put(ctx context.Context, load delivery.Load) error {
	if load.Records == 0 {
		return nil
	}
	stage, err := b.stage(ctx)
	if err == nil {
		stage.Put(load)
	}
	return err
}

// stage is the one of the request's metadata.
func (b *batch) stage(ctx context.Context) (*delivery.Stage, error) {
	var key strings.Builder
	values := map[string][]string{}
	for _, name := range b.cfg.MetadataKeys {
		values[name] = client.FromContext(ctx).Metadata.Get(name)
		fmt.Fprintf(&key, "%q", values[name])
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if stage := b.stages[key.String()]; stage != nil {
		return stage, nil
	}
	if limit := b.cfg.MetadataCardinalityLimit; len(b.cfg.MetadataKeys) > 0 && limit > 0 && len(b.stages) >= limit {
		return nil, fmt.Errorf("more than metadata_cardinality_limit (%d) combinations of metadata_keys", limit)
	}
	info := client.Info{Metadata: client.NewMetadata(values)}
	stage := delivery.NewStage(delivery.StageSettings{
		Signal: b.next.Signal, Logger: b.set.Logger, Size: max(1, b.cfg.SendBatchSize), Timeout: b.timeout(), MaxBytes: staged.MaxBytes,
		Deliver: func(ctx context.Context, loads []delivery.Load) error {
			return b.deliver(client.NewContext(ctx, info), loads)
		},
	}, b.tally)
	stage.Hold(b.holding)
	b.stages[key.String()] = stage
	return stage, nil
}

// timeout is 0 when the size is any: then nothing is waited for.
func (b *batch) timeout() time.Duration {
	if b.cfg.SendBatchSize == 0 {
		return 0
	}
	return b.cfg.Timeout
}

// deliver hands loads on as one batch, or as several when that is too large. What one batch could not be given is all that is lost.
func (b *batch) deliver(ctx context.Context, loads []delivery.Load) error {
	data := join(loads)
	var errs []error
	for b.cfg.SendBatchMaxSize > 0 && records(data) > b.cfg.SendBatchMaxSize {
		errs = append(errs, b.hand(ctx, split(data, b.cfg.SendBatchMaxSize)))
	}
	errs = append(errs, b.hand(ctx, data))
	if err := errors.Join(errs...); err != nil {
		b.set.Logger.Warn("the next component did not take a batch, its records are dropped", zap.String("signal", b.next.Signal.String()), zap.Error(err))
	}
	return nil
}

func (b *batch) hand(ctx context.Context, data any) error {
	n := records(data)
	err := delivery.Safely(func() error { return b.next.Consume(ctx, data) })
	if err != nil {
		b.tally.Drop(delivery.Failed, b.next.Signal, n)
	}
	return err
}

// each calls do for every stage, at once.
func (b *batch) each(do func(*delivery.Stage)) {
	b.mu.Lock()
	stages := slices.Collect(maps.Values(b.stages))
	b.mu.Unlock() // who puts data does not wait for a flush
	var group sync.WaitGroup
	for _, stage := range stages {
		group.Go(func() { do(stage) })
	}
	group.Wait()
}

// Resume has nothing to do.
func (*batch) Resume(bool) {}

// Hold holds what waits until a flush, or hands it on as usual.
func (b *batch) Hold(on bool) {
	b.mu.Lock()
	b.holding = on
	b.mu.Unlock()
	b.each(func(s *delivery.Stage) { s.Hold(on) })
}

// Release hands on what waits.
func (b *batch) Release() { b.each((*delivery.Stage).Release) }

// Flush hands on what waits, and returns when the next component has it or ctx ends.
func (b *batch) Flush(ctx context.Context) { b.each(func(s *delivery.Stage) { s.Flush(ctx) }) }

// FlushLast is Flush.
func (b *batch) FlushLast(ctx context.Context) { b.Flush(ctx) }

// Held is the number of records that wait.
func (b *batch) Held() (held delivery.Counts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, stage := range b.stages {
		held.Add(b.next.Signal, stage.Held().Sum())
	}
	return held
}

// Oldest is when the oldest data that waits was taken; zero when there is none.
func (b *batch) Oldest() (oldest time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, stage := range b.stages {
		oldest = delivery.Older(oldest, stage.Oldest())
	}
	return oldest
}

// Shutdown drops and counts what the host's last flush left.
func (b *batch) Shutdown(context.Context) error {
	b.each((*delivery.Stage).Stop)
	return nil
}
