// Package lambda speaks Lambda's Extensions API and Telemetry API, and lives the life of an extension.
package lambda

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/open-telemetry/opentelemetry-lambda/collector/delivery"
)

// Event is what next returns.
type Event struct {
	Type        string
	RequestID   string
	DeadlineMs  int64
	Reason      string // of a shutdown
	ARN         string // of an invocation, as it was called
	TraceHeader string // X-Ray's, of an invocation
}

// Deadline is when the invocation or the environment ends.
func (e Event) Deadline() time.Time { return time.UnixMilli(e.DeadlineMs) }

// The event types.
const (
	Invoke   = "INVOKE"
	Shutdown = "SHUTDOWN"
)

// API is Lambda's API for extensions.
type API struct {
	address string
	name    string
	id      string
	client  *http.Client
}

// NewAPI makes a client for the API at address (host:port) for the extension of that name, which must be its file's name.
func NewAPI(address, name string) *API {
	return &API{address: address, name: name, client: &http.Client{Transport: &http.Transport{
		Proxy: nil, DialContext: (&net.Dialer{}).DialContext, DisableCompression: true, MaxIdleConnsPerHost: 2,
	}}}
}

// Register must be the first call.
func (a *API) Register(ctx context.Context, events ...string) error {
	body := []byte(`{"events":["` + strings.Join(events, `","`) + `"]}`)
	response, _, err := a.call(ctx, http.MethodPost, "/2020-01-01/extension/register", body, http.Header{"Lambda-Extension-Name": {a.name}})
	if err != nil {
		return err
	}
	a.id = response.Header.Get("Lambda-Extension-Identifier")
	if a.id == "" {
		return fmt.Errorf("register: the reply has no Lambda-Extension-Identifier")
	}
	return nil
}

// Next waits for the next event; the environment may be frozen meanwhile.
func (a *API) Next(ctx context.Context) (event Event, err error) {
	_, body, err := a.call(ctx, http.MethodGet, "/2020-01-01/extension/event/next", nil, http.Header{"Lambda-Extension-Identifier": {a.id}})
	if err != nil {
		return event, err
	}
	if event, err = parseEvent(body); err != nil {
		err = fmt.Errorf("the reply is not an event as JSON: %w", err)
	}
	return event, err
}

// Subscribe asks for telemetry events at the URI. It returns false where there is no Telemetry API, as in emulators.
func (a *API) Subscribe(ctx context.Context, schema, uri string, wish delivery.TelemetryWish) (bool, error) {
	body := fmt.Appendf(nil, `{"schemaVersion":%q,"types":["%s"],"buffering":{"maxItems":%d,"maxBytes":%d,"timeoutMs":%d},"destination":{"protocol":"HTTP","URI":%q}}`,
		schema, strings.Join(wish.Types, `","`), max(wish.MaxItems, 1000), max(wish.MaxBytes, 262144), max(wish.TimeoutMs, 25), uri)
	headers := http.Header{"Lambda-Extension-Identifier": {a.id}, "Content-Type": {"application/json"}}
	response, _, err := a.call(ctx, http.MethodPut, "/2022-07-01/telemetry", body, headers)
	return err == nil && response.StatusCode == http.StatusOK, err
}

func (a *API) call(ctx context.Context, method, path string, body []byte, headers http.Header) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+a.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header = headers
	response, err := a.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode >= 300 {
		return nil, nil, fmt.Errorf("%s %s: %s %s", method, path, response.Status, bytes.TrimSpace(reply))
	}
	return response, reply, nil
}
