package otlpclient

import (
	"fmt"
	"net/http"

	"go.opentelemetry.io/collector/component"
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

// onceOnly keeps the transport from sending a body again, which it does when there is GetBody: authenticators read it to sign the body.
type onceOnly struct{ *http.Transport }

func (t onceOnly) RoundTrip(request *http.Request) (*http.Response, error) {
	plain := *request
	plain.GetBody = nil
	return t.Transport.RoundTrip(&plain)
}
