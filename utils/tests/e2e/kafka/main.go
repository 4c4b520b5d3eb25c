// A Kafka broker on localhost:9092 that writes the value of each record to the file that it is told, a line each.
package main

import (
	"context"
	"log"
	"os"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.SeedTopics(1, "spans"))
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	reader, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.ConsumeTopics("spans"))
	if err != nil {
		log.Fatal(err)
	}
	out, err := os.Create(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		reader.PollFetches(context.Background()).EachRecord(func(r *kgo.Record) {
			if _, err := out.Write(append(r.Value, '\n')); err != nil {
				log.Fatal(err)
			}
		})
	}
}
