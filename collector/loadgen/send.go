package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

const grpcPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// protocols are what each side speaks: gRPC is HTTP/2 without TLS here, with five bytes before each message.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// sender makes requests, each client one at a time.
type sender struct {
	o      options
	url    string
	client *http.Client
	bodies [][]byte

	mu    sync.Mutex
	began time.Time
	took  []time.Duration
	r     *result
}

// send posts messages for the time that the options say.
func send(o options, endpoint string, r *result) {
	s := &sender{o: o, url: "http://" + endpoint + "/v1/traces", bodies: messages(o.spans), r: r}
	transport := &http.Transport{MaxIdleConnsPerHost: o.clients}
	if o.grpc {
		s.url = "http://" + endpoint + grpcPath
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
		for i, body := range s.bodies {
			s.bodies[i] = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
		}
	}
	s.client = &http.Client{Transport: transport}
	s.began = time.Now()
	var group sync.WaitGroup
	for range o.clients {
		group.Go(s.work)
	}
	group.Wait()
	slices.Sort(s.took)
	if n := len(s.took); n > 0 {
		r.MedianMS, r.TailMS = s.took[n/2].Seconds()*1000, s.took[n*99/100].Seconds()*1000
	}
}

func (s *sender) work() {
	for time.Since(s.began).Seconds() < s.o.seconds {
		body := s.next()
		if body == nil {
			time.Sleep(time.Millisecond)
			continue
		}
		start := time.Now()
		taken, err := s.post(body)
		if err != nil {
			fmt.Fprintln(os.Stderr, "loadgen:", err)
			return
		}
		s.mu.Lock()
		s.took = append(s.took, time.Since(start))
		if taken {
			s.r.Sent += s.o.spans
		} else {
			s.r.Refused += s.o.spans
		}
		s.mu.Unlock()
	}
}

// next is the message to be sent, or nil while the sender is ahead of its rate.
func (s *sender) next() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.rate > 0 && float64(s.r.RequestsIn*s.o.spans) > float64(s.o.rate)*time.Since(s.began).Seconds() {
		return nil
	}
	body := s.bodies[s.r.RequestsIn%len(s.bodies)]
	s.r.RequestsIn++
	return body
}

// post tells whether the collector took the message.
func (s *sender) post(body []byte) (taken bool, err error) {
	request, err := http.NewRequest(http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if s.o.grpc {
		request.Header.Set("Content-Type", "application/grpc")
		request.Header.Set("Te", "trailers")
	}
	response, err := s.client.Do(request)
	if err != nil {
		return false, err
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	status := response.Trailer.Get("Grpc-Status") + response.Header.Get("Grpc-Status") // in the header when there is nothing but it
	return response.StatusCode == http.StatusOK && (!s.o.grpc || status == "0"), nil
}
