package otlpreceiver

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pipeline"
)

// Config has the keys of the stock otlp receiver that this one knows; any other is an error.
type Config struct {
	// Protocols that are listed are served: grpc, http or both.
	Protocols Protocols `mapstructure:"protocols"`
}

// Protocols of the receiver; nil is not served.
type Protocols struct {
	// GRPC is OTLP over gRPC.
	GRPC *GRPCConfig `mapstructure:"grpc"`
	// HTTP is OTLP over HTTP, protobuf and JSON.
	HTTP *HTTPConfig `mapstructure:"http"`
}

// GRPCConfig is the gRPC protocol.
type GRPCConfig struct {
	// Endpoint is host:port. It is always a loopback address: an extension has no other callers.
	Endpoint string `mapstructure:"endpoint"`
	// MaxRecvMsgSizeMiB bounds one message, in MiB, compressed as well as decompressed.
	MaxRecvMsgSizeMiB int `mapstructure:"max_recv_msg_size_mib"`
}

// HTTPConfig is the HTTP protocol.
type HTTPConfig struct {
	// Endpoint is host:port. It is always a loopback address: an extension has no other callers.
	Endpoint string `mapstructure:"endpoint"`
	// MaxRequestBodySize bounds one message, in bytes, after decompression.
	MaxRequestBodySize int64 `mapstructure:"max_request_body_size"`
	// TracesURLPath is where traces are posted to.
	TracesURLPath string `mapstructure:"traces_url_path"`
	// MetricsURLPath is where metrics are posted to.
	MetricsURLPath string `mapstructure:"metrics_url_path"`
	// LogsURLPath is where logs are posted to.
	LogsURLPath string `mapstructure:"logs_url_path"`
}

// As the stock receiver has it for HTTP; for gRPC its limit is 4 MiB.
const maxMiB = 20

func createDefaultConfig() component.Config {
	return &Config{Protocols: Protocols{
		GRPC: &GRPCConfig{Endpoint: "localhost:4317", MaxRecvMsgSizeMiB: maxMiB},
		HTTP: &HTTPConfig{
			Endpoint: "localhost:4318", MaxRequestBodySize: maxMiB << 20,
			TracesURLPath: "/v1/traces", MetricsURLPath: "/v1/metrics", LogsURLPath: "/v1/logs",
		},
	}}
}

// Unmarshal switches off the protocols that the configuration does not list.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := conf.Unmarshal(c); err != nil {
		if strings.Contains(err.Error(), "invalid keys") {
			err = fmt.Errorf("%w: the built-in receiver does not have them, the stock one does: "+
				"collector/run.sh build --config FILE --with receiver/otlp=MODULE@VERSION", err)
		}
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
	var errs []error
	if g := c.Protocols.GRPC; g != nil {
		errs = append(errs, hostPort("grpc", g.Endpoint))
		if g.MaxRecvMsgSizeMiB <= 0 || g.MaxRecvMsgSizeMiB > 4095 { // a frame's length has 32 bits
			errs = append(errs, errors.New("protocols::grpc::max_recv_msg_size_mib must be from 1 to 4095"))
		}
	}
	if h := c.Protocols.HTTP; h != nil {
		errs = append(errs, hostPort("http", h.Endpoint))
		if h.MaxRequestBodySize <= 0 {
			errs = append(errs, errors.New("protocols::http::max_request_body_size must be more than 0"))
		}
		if len(h.paths()) < 3 {
			errs = append(errs, errors.New("protocols::http: traces_url_path, metrics_url_path and logs_url_path must differ"))
		}
	}
	return errors.Join(errs...)
}

func hostPort(protocol, endpoint string) error {
	if _, _, err := net.SplitHostPort(endpoint); err != nil {
		return fmt.Errorf("protocols::%s::endpoint is %q, it must be host:port", protocol, endpoint)
	}
	return nil
}

// paths are the signals by URL path, which has a slash in front and none behind.
func (h *HTTPConfig) paths() map[string]pipeline.Signal {
	clean := func(path string) string { return "/" + strings.Trim(path, "/") }
	return map[string]pipeline.Signal{
		clean(h.TracesURLPath): pipeline.SignalTraces, clean(h.MetricsURLPath): pipeline.SignalMetrics, clean(h.LogsURLPath): pipeline.SignalLogs,
	}
}

// Listens are the endpoints of the protocols that are served.
func (c *Config) Listens() (endpoints []string) {
	if g := c.Protocols.GRPC; g != nil {
		endpoints = append(endpoints, g.Endpoint)
	}
	if h := c.Protocols.HTTP; h != nil {
		endpoints = append(endpoints, h.Endpoint)
	}
	return endpoints
}
