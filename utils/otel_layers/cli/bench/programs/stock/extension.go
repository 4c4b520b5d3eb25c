// The stock service as an extension: in the generated module this replaces what parses the command line. Registering runs beside the
// start, and next is called as soon as the service says that it runs.
package main

import (
	"context"
	"net/http"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/collector/otelcol"
)

func run(params otelcol.CollectorSettings) error {
	address := os.Getenv("AWS_LAMBDA_RUNTIME_API")
	if address == "" {
		return otelcol.NewCommand(params).Execute()
	}
	params.ConfigProviderSettings.ResolverSettings.URIs = []string{os.Getenv("OPENTELEMETRY_COLLECTOR_CONFIG_URI")}
	service, err := otelcol.NewCollector(params)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- service.Run(context.Background()) }()
	api := "http://" + address + "/2020-01-01/extension/"
	register, _ := http.NewRequest(http.MethodPost, api+"register", strings.NewReader(`{"events":["INVOKE","SHUTDOWN"]}`))
	register.Header.Set("Lambda-Extension-Name", "stock")
	reply, err := http.DefaultClient.Do(register)
	if err != nil {
		return err
	}
	_ = reply.Body.Close()
	for service.GetState() != otelcol.StateRunning {
		select {
		case err := <-ended:
			return err
		case <-time.After(200 * time.Microsecond):
		}
	}
	next, _ := http.NewRequest(http.MethodGet, api+"event/next", nil)
	next.Header.Set("Lambda-Extension-Identifier", reply.Header.Get("Lambda-Extension-Identifier"))
	if reply, err = http.DefaultClient.Do(next); err == nil {
		_ = reply.Body.Close()
	}
	service.Shutdown()
	return <-ended
}
