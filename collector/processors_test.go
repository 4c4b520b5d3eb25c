package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestProcessorsLoseNothingAcrossFreezes(t *testing.T) {
	for _, processors := range []string{
		"batch: {timeout: 1h, send_batch_size: 100000}",
		"batch: {timeout: 1h, send_batch_size: 100000, send_batch_max_size: 200000}",
		"batch: {timeout: 1h, send_batch_size: 2, send_batch_max_size: 2}",
		"decouple: {max_queue_size: 200}",
		"coldstart: {}",
		"coldstart: {}, batch: {timeout: 1h, send_batch_size: 100000, send_batch_max_size: 200000}, decouple: {}",
	} {
		for _, policy := range []string{"end", "auto", "periodic,20", "shutdown"} {
			t.Run(policy+" "+processors, func(t *testing.T) {
				lambda, b := newLambda(t, true), newBackend(t)
				names := []string{}
				for _, name := range []string{"coldstart", "batch", "decouple"} {
					if strings.Contains(processors, name+":") {
						names = append(names, name)
					}
				}
				config := strings.Replace(fmt.Sprintf(through, b.URL), "exporters: [otlphttp]", "processors: ["+strings.Join(names, ", ")+"], exporters: [otlphttp]", 1)
				e := run(t, lambda, "processors: {"+processors+"}, "+config, "OTEL_LAMBDA_FLUSH="+policy)
				lambda.next()
				for i := range 24 {
					id := fmt.Sprint("r", i)
					lambda.invoke(id, time.Minute)
					e.send(id+"a", id+"b", id+"c")
					lambda.done(id)
					lambda.next()
					if policy == "end" {
						b.has(t, 3*(i+1))
					}
					if i%8 == 0 {
						e.freeze(30 * time.Millisecond)
					}
				}
				lambda.shutdown("spindown")
				if a, _ := e.end(); a.Received.Spans != 72 || a.Sent.Spans != 72 || a.Dropped.Spans != 0 {
					t.Errorf("account: %+v", a)
				}
				b.has(t, 72)
			})
		}
	}
}
