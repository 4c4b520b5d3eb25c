// Command bare is the floor of the collector's rows: the least that net/http needs to be an extension with an open port.
package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

func main() {
	listener, err := net.Listen("tcp", os.Getenv("BENCH_RECEIVER"))
	if err != nil {
		panic(err)
	}
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { _, _ = io.Copy(io.Discard, q.Body) }))
	}()
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2020-01-01/extension/"
	register, _ := http.NewRequest(http.MethodPost, api+"register", strings.NewReader(`{"events":["INVOKE","SHUTDOWN"]}`))
	register.Header.Set("Lambda-Extension-Name", "bare")
	reply, err := http.DefaultClient.Do(register)
	if err != nil {
		panic(err)
	}
	_ = reply.Body.Close()
	next, _ := http.NewRequest(http.MethodGet, api+"event/next", nil)
	next.Header.Set("Lambda-Extension-Identifier", reply.Header.Get("Lambda-Extension-Identifier"))
	if reply, err = http.DefaultClient.Do(next); err == nil {
		_ = reply.Body.Close()
	}
}
