package otlpexporter

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlpclient"
)

// Config has the keys of the stock otlp exporter that this one knows; any other is an error.
type Config struct {
	// Endpoint is host:port, with TLS unless tls::insecure is set; http://host:port and https://host:port say it themselves; dns:///host:port is host:port.
	Endpoint string `mapstructure:"endpoint"`

	otlpclient.Config `mapstructure:",squash"`
}

func createDefaultConfig() component.Config {
	return &Config{Config: otlpclient.Default(5 * time.Second)}
}

// Validate is called by the host once the configuration is read.
func (c *Config) Validate() error {
	_, err := c.base()
	return errors.Join(err, c.Config.Validate())
}

// Destinations are the addresses that are sent to, by key.
func (c *Config) Destinations() map[string]string {
	if u, err := c.base(); err == nil {
		return map[string]string{"endpoint": u.Host}
	}
	return nil
}

// base is the URL that the services' paths are appended to.
func (c *Config) base() (*url.URL, error) {
	text := strings.TrimPrefix(strings.TrimPrefix(c.Endpoint, "dns:///"), "dns://")
	if text == "" {
		return nil, errors.New("endpoint is missing")
	}
	if !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://") {
		scheme := "https://"
		if c.TLS.Insecure {
			scheme = "http://"
		}
		text = scheme + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("endpoint is %q, it must be like host:4317 or https://host:4317", c.Endpoint)
	}
	u.Path = ""
	if u.Port() == "" { // gRPC's default, whatever the scheme
		u.Host = net.JoinHostPort(u.Hostname(), "443")
	}
	return u, nil
}
