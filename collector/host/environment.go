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
		target, settings, err := destination(signal, getenv)
		if err != nil {
			if text := err.Error(); len(nowhere) == 0 || nowhere[len(nowhere)-1] != text {
				nowhere = append(nowhere, text)
			}
			continue
		}
		at := -1
		for i, group := range groups {
			if reflect.DeepEqual(group, settings) {
				at = i
			}
		}
		if at < 0 {
			at = len(groups)
			groups = append(groups, settings)
			name := "otlphttp"
			if at > 0 {
				name += "/" + signal
			}
			names = append(names, name)
			exporter := map[string]any{}
			for key, value := range settings {
				exporter[key] = value
			}
			exporters[name] = exporter
		}
		exporters[names[at]].(map[string]any)[signal+"_endpoint"] = target
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

// destination is the URL for a signal and the other settings of its exporter.
func destination(signal string, getenv func(string) string) (string, map[string]any, error) {
	names := [2]string{"OTEL_EXPORTER_OTLP_" + strings.ToUpper(signal) + "_", "OTEL_EXPORTER_OTLP_"}
	read := func(key string) string {
		for _, prefix := range names {
			if value := strings.TrimSpace(getenv(prefix + key)); value != "" {
				return value
			}
		}
		return ""
	}
	target := strings.TrimSpace(getenv(names[0] + "ENDPOINT"))
	variable := names[0] + "ENDPOINT"
	if target == "" {
		variable = names[1] + "ENDPOINT"
		base := strings.TrimSpace(getenv(variable))
		if base == "" {
			return "", nil, fmt.Errorf("no destination: set %s or OPENTELEMETRY_COLLECTOR_CONFIG_URI", variable)
		}
		target = strings.TrimSuffix(base, "/") + "/v1/" + signal
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", nil, fmt.Errorf("%s is not a URL like https://host:4318", variable)
	}
	if own(u) {
		return "", nil, fmt.Errorf("%s is the collector's own receiver, not a destination: set it to where telemetry goes in the end", variable)
	}
	settings := map[string]any{"compression": "none", "timeout": "10s"}
	switch protocol := read("PROTOCOL"); protocol {
	case "", "http/protobuf", "http/json": // who takes JSON takes protobuf, says OTLP
	default:
		return "", nil, fmt.Errorf("%sPROTOCOL=%s is not supported for export: set http/protobuf", names[1], protocol)
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
	if value := read("CERTIFICATE"); value != "" {
		settings["tls"] = map[string]any{"ca_file": value}
	}
	if read("CLIENT_CERTIFICATE") != "" {
		return "", nil, fmt.Errorf("%sCLIENT_CERTIFICATE: this layer sends no client certificates", names[1])
	}
	return target, settings, nil
}

// own tells whether a URL leads to the collector's own receivers: what is sent there would go round for ever.
func own(u *url.URL) bool {
	if port := u.Port(); port != "4317" && port != "4318" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	ip := net.ParseIP(host)
	return host == "localhost" || host == "sandbox" || host == "sandbox.localdomain" || (ip != nil && (ip.IsLoopback() || ip.IsUnspecified()))
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
