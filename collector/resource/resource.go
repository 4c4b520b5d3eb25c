// Package resource describes the function that telemetry is about.
package resource

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Describe says who the function is, from Lambda's own variables; what the user sets wins. The log group and stream, and with
// it faas.instance, are not among the variables of an extension.
func Describe(attributes pcommon.Map, getenv func(string) string) {
	attributes.PutStr("cloud.provider", "aws")
	attributes.PutStr("cloud.platform", "aws_lambda")
	name := getenv("AWS_LAMBDA_FUNCTION_NAME")
	for _, known := range [][2]string{{"cloud.region", cmp.Or(getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"))}, {"faas.name", name},
		{"faas.version", getenv("AWS_LAMBDA_FUNCTION_VERSION")}, {"service.name", cmp.Or(name, "unknown_service")}} {
		if known[1] != "" {
			attributes.PutStr(known[0], known[1])
		}
	}
	if megabytes, err := strconv.ParseInt(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 32); err == nil {
		attributes.PutInt("faas.max_memory", megabytes<<20)
	}
	for pair := range strings.SplitSeq(getenv("OTEL_RESOURCE_ATTRIBUTES"), ",") {
		key, value, found := strings.Cut(pair, "=")
		if key = strings.TrimSpace(key); !found || key == "" {
			continue
		}
		if plain, err := url.PathUnescape(strings.TrimSpace(value)); err == nil {
			value = plain
		}
		attributes.PutStr(key, value)
	}
	if service := strings.TrimSpace(getenv("OTEL_SERVICE_NAME")); service != "" {
		attributes.PutStr("service.name", service)
	}
}
