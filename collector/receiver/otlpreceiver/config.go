package otlpreceiver

import (
	"errors"
	"fmt"
	"net"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
)

// Config has the keys of the stock otlp receiver that this one knows; any other is an error.
type Config struct {
	// Protocols that are listed are served: grpc, http or both.
	Protocols Protocols `mapstructure:"protocols"`
}

// Protocols of the receiver; nil is not served.
type Protocols struct {
	GRPC *ServerConfig `mapstructure:"grpc"`
	HTTP *ServerConfig `mapstructure:"http"`
}

// ServerConfig is one listening address.
type ServerConfig struct {
	// Endpoint is host:port. It is always a loopback address: an extension has no other callers.
	Endpoint string `mapstructure:"endpoint"`
	// MaxRequestBodySize bounds one message, in bytes, after decompression.
	MaxRequestBodySize int64 `mapstructure:"max_request_body_size"`
}

const maxBody = 20 << 20

func createDefaultConfig() component.Config {
	return &Config{Protocols: Protocols{
		GRPC: &ServerConfig{Endpoint: "localhost:4317", MaxRequestBodySize: maxBody},
		HTTP: &ServerConfig{Endpoint: "localhost:4318", MaxRequestBodySize: maxBody},
	}}
}

// Unmarshal switches off the protocols that the configuration does not list.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := conf.Unmarshal(c); err != nil {
		return err
	}
	if !conf.IsSet("protocols::grpc") {
		c.Protocols.GRPC = nil
	}
	if !conf.IsSet("protocols::http") {
		c.Protocols.HTTP = nil
	}
	return nil
}

// Validate is called by the host once the configuration is read.
func (c *Config) Validate() error {
	if c.Protocols.GRPC == nil && c.Protocols.HTTP == nil {
		return errors.New("protocols must list grpc, http or both")
	}
	return errors.Join(c.Protocols.GRPC.validate("grpc"), c.Protocols.HTTP.validate("http"))
}

func (s *ServerConfig) validate(name string) error {
	if s == nil {
		return nil
	}
	if _, _, err := net.SplitHostPort(s.Endpoint); err != nil {
		return fmt.Errorf("protocols::%s::endpoint is %q, it must be host:port", name, s.Endpoint)
	}
	if s.MaxRequestBodySize <= 0 {
		return fmt.Errorf("protocols::%s::max_request_body_size must be more than 0", name)
	}
	return nil
}
