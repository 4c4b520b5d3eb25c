package otlpclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSConfig has the usual keys of TLS clients. Files are read when the first request is made, never while the environment starts.
type TLSConfig struct {
	// Insecure speaks without TLS where the endpoint has no scheme.
	Insecure bool `mapstructure:"insecure"`
	// InsecureSkipVerify takes any certificate.
	InsecureSkipVerify bool `mapstructure:"insecure_skip_verify"`
	// ServerName that the certificate must have.
	ServerName string `mapstructure:"server_name_override"`
	// CAFile is the authorities' certificates, instead of the system's.
	CAFile string `mapstructure:"ca_file"`
	// CAPem is the authorities' certificates themselves.
	CAPem string `mapstructure:"ca_pem"`
	// IncludeSystemCACertsPool trusts the system's authorities too.
	IncludeSystemCACertsPool bool `mapstructure:"include_system_ca_certs_pool"`
	// CertFile is the client's certificate.
	CertFile string `mapstructure:"cert_file"`
	// CertPem is the client's certificate itself.
	CertPem string `mapstructure:"cert_pem"`
	// KeyFile is the client's key.
	KeyFile string `mapstructure:"key_file"`
	// KeyPem is the client's key itself.
	KeyPem string `mapstructure:"key_pem"`
	// MinVersion is 1.2 or 1.3.
	MinVersion string `mapstructure:"min_version"`
}

func (c *TLSConfig) check() error {
	var errs []error
	for _, pair := range [][3]string{{"ca", c.CAFile, c.CAPem}, {"cert", c.CertFile, c.CertPem}, {"key", c.KeyFile, c.KeyPem}} {
		if pair[1] != "" && pair[2] != "" {
			errs = append(errs, fmt.Errorf("tls::%s_file and tls::%s_pem are both set, only one may be", pair[0], pair[0]))
		}
	}
	if (c.CertFile+c.CertPem == "") != (c.KeyFile+c.KeyPem == "") {
		errs = append(errs, errors.New("tls: a client certificate needs both a certificate and a key"))
	}
	if c.MinVersion != "" && c.MinVersion != "1.2" && c.MinVersion != "1.3" {
		errs = append(errs, fmt.Errorf("tls::min_version is %q, it must be 1.2 or 1.3", c.MinVersion))
	}
	return errors.Join(errs...)
}

func (c *TLSConfig) load() (*tls.Config, error) {
	secure := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: c.ServerName, InsecureSkipVerify: c.InsecureSkipVerify, //nolint:gosec // the user's own key
		ClientSessionCache: tls.NewLRUClientSessionCache(4), // connections are made anew after every freeze
	}
	if c.MinVersion == "1.3" {
		secure.MinVersion = tls.VersionTLS13
	}
	if c.CAFile+c.CAPem != "" {
		pem, err := fileOr("ca_file", c.CAFile, c.CAPem)
		if err != nil {
			return nil, err
		}
		secure.RootCAs = x509.NewCertPool()
		if c.IncludeSystemCACertsPool {
			if secure.RootCAs, err = x509.SystemCertPool(); err != nil {
				return nil, fmt.Errorf("tls::include_system_ca_certs_pool: %w", err)
			}
		}
		if !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("tls: the authorities hold no certificate in PEM format")
		}
	}
	if c.CertFile+c.CertPem != "" {
		certificate, err := fileOr("cert_file", c.CertFile, c.CertPem)
		if err != nil {
			return nil, err
		}
		key, err := fileOr("key_file", c.KeyFile, c.KeyPem)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("tls: client certificate: %w", err)
		}
		secure.Certificates = []tls.Certificate{pair}
	}
	return secure, nil
}

func fileOr(key, file, pem string) ([]byte, error) {
	if file == "" {
		return []byte(pem), nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("tls::%s: %w", key, err)
	}
	return data, nil
}
