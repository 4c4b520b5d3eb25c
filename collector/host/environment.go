package host

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

var signals = []string{"traces", "metrics", "logs"}

// FromEnvironment is the configuration when the function has none: OTLP in, and out to where the OTEL_EXPORTER_OTLP_* variables
// say, as the specification defines them. Signals without a destination have no pipeline; nowhere says why, for each cause once.
func FromEnvironment(getenv func(string) string) (conf *confmap.Conf, nowhere []string) {
	pipelines, exporters := map[string]any{}, map[string]any{}
	var groups []map[string]any // settings that differ only in where the signals go share one exporter
	var names []string
	for _, signal := range signals {
		kind, target, settings, err := destination(signal, getenv)
		if err != nil {
			if text := err.Error(); len(nowhere) == 0 || nowhere[len(nowhere)-1] != text {
				nowhere = append(nowhere, text)
			}
			continue
		}
		at := -1
		for i, group := range groups {
			if reflect.DeepEqual(group, settings) && strings.HasPrefix(names[i]+"/", kind+"/") {
				at = i
			}
		}
		if at < 0 {
			at = len(groups)
			groups = append(groups, settings)
			name := kind
			if exporters[kind] != nil {
				name += "/" + signal
			}
			names = append(names, name)
			exporter := map[string]any{}
			for key, value := range settings {
				exporter[key] = value
			}
			exporters[name] = exporter
		}
		if kind == "otlphttp" { // over gRPC the endpoint is the same for all
			exporters[names[at]].(map[string]any)[signal+"_endpoint"] = target
		}
		receivers := []any{"otlp"}
		if signal == "traces" {
			receivers = append(receivers, "telemetryapi")
		}
		pipelines[signal] = map[string]any{"receivers": receivers, "exporters": []any{names[at]}}
	}
	return confmap.NewFromStringMap(map[string]any{
		"receivers": map[string]any{
			"otlp":         map[string]any{"protocols": map[string]any{"grpc": map[string]any{}, "http": map[string]any{}}},
			"telemetryapi": map[string]any{"initSpan": false}, // only the spans that nobody else makes
		},
		"exporters": exporters,
		"service":   map[string]any{"pipelines": pipelines},
	}), nowhere
}

// destination is the type of exporter for a signal, the URL (over HTTP) and the other settings.
func destination(signal string, getenv func(string) string) (kind, target string, settings map[string]any, err error) {
	names := [2]string{"OTEL_EXPORTER_OTLP_" + strings.ToUpper(signal) + "_", "OTEL_EXPORTER_OTLP_"}
	get := func(key string) (value, variable string) {
		for _, prefix := range names {
			if value := strings.TrimSpace(getenv(prefix + key)); value != "" {
				return value, prefix + key
			}
		}
		return "", names[1] + key
	}
	read := func(key string) string { value, _ := get(key); return value }
	settings = map[string]any{"compression": "none", "timeout": "10s"}
	target, variable := get("ENDPOINT")
	if target == "" {
		return "", "", nil, fmt.Errorf("no destination: set %s or OPENTELEMETRY_COLLECTOR_CONFIG_URI", variable)
	}
	switch protocol := read("PROTOCOL"); protocol {
	case "", "http/protobuf", "http/json": // who takes JSON takes protobuf, says OTLP
		kind = "otlphttp"
		if variable == names[1]+"ENDPOINT" {
			target = strings.TrimSuffix(target, "/") + "/v1/" + signal
		}
	case "grpc":
		kind = "otlp"
		if !strings.Contains(target, "://") {
			scheme := "https://"
			if strings.EqualFold(read("INSECURE"), "true") {
				scheme = "http://"
			}
			target = scheme + target
		}
		settings["endpoint"] = target
	default:
		return "", "", nil, fmt.Errorf("%sPROTOCOL=%s is not known: set http/protobuf or grpc", names[1], protocol)
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", "", nil, fmt.Errorf("%s is not a URL like https://host:4318", variable)
	}
	if own(u) {
		return "", "", nil, fmt.Errorf("%s is the collector's own receiver, not a destination: set it to where telemetry goes in the end", variable)
	}
	if value := read("COMPRESSION"); value != "" {
		settings["compression"] = value
	}
	if ms, err := strconv.Atoi(read("TIMEOUT")); err == nil && ms > 0 {
		settings["timeout"] = fmt.Sprintf("%dms", ms)
	}
	if headers := parseHeaders(read("HEADERS")); len(headers) > 0 {
		settings["headers"] = headers
	}
	secure := map[string]any{}
	for key, name := range map[string]string{"ca_file": "CERTIFICATE", "cert_file": "CLIENT_CERTIFICATE", "key_file": "CLIENT_KEY"} {
		if value := read(name); value != "" {
			secure[key] = value
		}
	}
	if len(secure) > 0 {
		settings["tls"] = secure
	}
	return kind, target, settings, nil
}

// own tells whether a URL leads to the collector's own receivers: what is sent there would go round for ever.
func own(u *url.URL) bool {
	return (u.Port() == "4317" || u.Port() == "4318") && loopback(u.Hostname())
}

// loopback tells whether a host is this machine, by any of its names in Lambda.
func loopback(host string) bool {
	host = strings.ToLower(host)
	ip := net.ParseIP(host)
	return host == "" || host == "localhost" || host == "sandbox" || host == "sandbox.localdomain" || (ip != nil && (ip.IsLoopback() || ip.IsUnspecified()))
}

// parseHeaders reads key=value,key=value with percent-encoded values.
func parseHeaders(text string) map[string]any {
	headers := map[string]any{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, found := strings.Cut(pair, "=")
		if key = strings.TrimSpace(key); !found || key == "" {
			continue
		}
		value = strings.TrimSpace(value)
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		headers[key] = value
	}
	return headers
}
