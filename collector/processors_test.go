package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-lambda/collector/app"
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

// What the READMEs say of keys and defaults is what the code has.
func TestProcessorsREADMEs(t *testing.T) {
	for _, factory := range app.Builtin().Processors {
		text, err := os.ReadFile("processor/" + factory.Type().String() + "processor/README.md")
		if err != nil {
			t.Fatal(err)
		}
		config := reflect.ValueOf(factory.CreateDefaultConfig()).Elem()
		var rows []string
		for i := range config.NumField() {
			rows = append(rows, fmt.Sprintf("| `%s` | `%v` |", config.Type().Field(i).Tag.Get("mapstructure"), config.Field(i)))
		}
		for _, row := range rows {
			if !strings.Contains(string(text), row) {
				t.Errorf("%s: no row %s", factory.Type(), row)
			}
		}
		if n := strings.Count(string(text), "\n| `"); n != len(rows) {
			t.Errorf("%s: %d rows for %d keys", factory.Type(), n, len(rows))
		}
	}
}
