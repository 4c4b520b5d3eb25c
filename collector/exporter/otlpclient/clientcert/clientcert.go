// Package clientcert lets the exporters show client certificates. Who imports it pays 0.25 MB for reading private keys.
package clientcert

import (
	"crypto/tls"

	"github.com/open-telemetry/opentelemetry-lambda/collector/exporter/otlpclient"
)

func init() { otlpclient.KeyPair = tls.X509KeyPair }
