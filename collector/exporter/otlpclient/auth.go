package otlpclient

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/collector/component"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// authenticator finds what wraps the connections of who authenticates by the extension called name; nil when name is "".
func authenticator(name string, host component.Host) (func(http.RoundTripper) (http.RoundTripper, error), error) {
	if name == "" {
		return nil, nil
	}
	for id, extension := range host.GetExtensions() {
		if id.String() != name {
			continue
		}
		// extensionauth.HTTPClient, asked for by its method: what is beside it in that package would bring the gRPC library.
		if a, ok := extension.(interface {
			RoundTripper(http.RoundTripper) (http.RoundTripper, error)
		}); ok {
			return a.RoundTripper, nil
		}
		return nil, fmt.Errorf("auth::authenticator: %s authenticates no client", name)
	}
	return nil, fmt.Errorf("auth::authenticator: there is no extension %s in service::extensions", name)
}

// do makes the request, for no longer than its context lasts: an authenticator that waits for something of its own, such as a token, may
// not know of that. Its request is then left behind, and cannot be sent any more.
func (c *client) do(made *http.Client, request *http.Request) (*http.Response, error) {
	if c.auth == nil {
		return made.Do(request)
	}
	var response *http.Response
	done := make(chan error, 1)
	go func() {
		done <- delivery.Safely(func() (err error) {
			response, err = made.Do(request) //nolint:bodyclose // the caller closes it, or who is left behind
			return err
		})
	}()
	select {
	case err := <-done:
		return response, err
	case <-request.Context().Done():
		go func() {
			if <-done == nil {
				_ = response.Body.Close()
			}
		}()
		return nil, context.Cause(request.Context())
	}
}

// onceOnly keeps the transport from sending a body again, which it does when there is GetBody: authenticators read it to sign the body.
type onceOnly struct{ *http.Transport }

func (t onceOnly) RoundTrip(request *http.Request) (*http.Response, error) {
	plain := *request
	plain.GetBody = nil
	return t.Transport.RoundTrip(&plain)
}
