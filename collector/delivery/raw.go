package delivery

import (
	"context"

	"go.opentelemetry.io/collector/pipeline"
)

// RawConsumer is a consumer that also takes data as it came, so that a pipeline which only forwards decodes nothing. Whoever holds
// a next consumer asks for it by type assertion; a consumer implements it only when all that stands behind it does too, so that
// one answer holds for the whole pipeline.
type RawConsumer interface {
	// ConsumeRaw takes one encoded OTLP message of the signal (an Export...ServiceRequest in protobuf, not compressed) that holds
	// this many records: spans, metric data points or log records. The decoder of package pdata accepts the message: the giver has checked.
	//
	// From the call on nobody changes the bytes of body, neither the giver nor a taker: a fan-out hands the same bytes to every taker,
	// and takers keep them for as long as they like. A giver that wants its buffer back gives a copy; a taker that wants other data
	// makes its own.
	//
	// An error has the same meaning as that of ConsumeTraces and its like: this consumer did not take the records.
	ConsumeRaw(ctx context.Context, signal pipeline.Signal, body []byte, records int) error
}
