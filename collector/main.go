// Command collector is the OpenTelemetry Collector as a Lambda extension. Outside Lambda it runs as a plain collector.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"go.opentelemetry.io/collector/component"

	"github.com/open-telemetry/opentelemetry-lambda/collector/host"
)

var version = "0.0.0-dev" // set when linking

const usage = `The OpenTelemetry Collector as a Lambda extension. Lambda starts it without arguments.

  collector [--config URI]...            run; outside Lambda until Ctrl-C
  collector validate [--config URI]...   check a configuration, start nothing
  collector components                   list what this binary contains
  collector --version

A URI is file:PATH (or just PATH), env:NAME or yaml:TEXT; several are merged. Without --config:
OPENTELEMETRY_COLLECTOR_CONFIG_URI or OPENTELEMETRY_COLLECTOR_CONFIG_FILE (several separated by commas), else OTLP in and out to
where the OTEL_EXPORTER_OTLP_* variables say. OPENTELEMETRY_EXTENSION_LOG_LEVEL is debug, info, warn or error.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends us as usual
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

type uris []string

func (u *uris) String() string         { return strings.Join(*u, ",") }
func (u *uris) Set(value string) error { *u = append(*u, value); return nil }

func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	verb := "run"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		verb, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("collector", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	configured := uris(configuredURIs(os.Getenv))
	var given uris
	flags.Var(&given, "config", "configuration URI")
	show := flags.Bool("version", false, "print the version")
	flags.BoolVar(show, "v", false, "print the version")
	if err := flags.Parse(args); err == flag.ErrHelp {
		return 0
	} else if err != nil {
		return 2
	}
	if len(given) > 0 {
		configured = given
	}
	logger, level := newLogger(stdout, os.Getenv("OPENTELEMETRY_EXTENSION_LOG_LEVEL"))
	info := component.BuildInfo{Command: "opentelemetry-lambda-collector", Description: "OpenTelemetry Collector for AWS Lambda", Version: version}
	c := &collector{uris: configured, info: info, logger: logger, level: level}
	switch {
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "unexpected argument %q\n\n%s", flags.Arg(0), usage)
		return 2
	case *show:
		fmt.Fprintf(stdout, "collector %s\n", version)
	case verb == "components":
		f := factories()
		fmt.Fprintf(stdout, "receivers: %s\nprocessors: %s\nexporters: %s\nextensions: %s\nconnectors: %s\n", list(host.Names(f.Receivers)),
			list(host.Names(f.Processors)), list(host.Names(f.Exporters)), list(host.Names(f.Extensions)), list(host.Names(f.Connectors)))
	case verb == "validate":
		if _, _, err := c.configure(ctx); err != nil {
			fmt.Fprintln(stderr, err)
			return 2
		}
		fmt.Fprintln(stdout, "the configuration is good")
	case verb != "run":
		fmt.Fprintf(stderr, "unknown command %q\n\n%s", verb, usage)
		return 2
	case os.Getenv("AWS_LAMBDA_RUNTIME_API") == "":
		return c.plain(ctx)
	default:
		name, _ := os.Executable()
		c.extension(ctx, os.Getenv("AWS_LAMBDA_RUNTIME_API"), filepath.Base(name), os.Getenv("AWS_LAMBDA_INITIALIZATION_TYPE"))
	}
	return 0
}

func list(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

func configuredURIs(getenv func(string) string) (found []string) {
	for _, name := range []string{"OPENTELEMETRY_COLLECTOR_CONFIG_URI", "OPENTELEMETRY_COLLECTOR_CONFIG_FILE"} {
		text := strings.TrimSpace(getenv(name))
		if strings.HasPrefix(text, "yaml:") {
			return []string{text} // its commas are YAML's
		}
		for uri := range strings.SplitSeq(text, ",") {
			if uri = strings.TrimSpace(uri); uri != "" {
				found = append(found, uri)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}
