// Package app is the collector's program: its command line, and its life in Lambda and outside. Which components it holds says who calls it.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"go.opentelemetry.io/collector/component"

	"github.com/open-telemetry/opentelemetry-lambda/collector/host"
)

const usage = `The OpenTelemetry Collector as a Lambda extension. Lambda starts it without arguments.

  collector [--config URI]...            run; outside Lambda until Ctrl-C
  collector validate [--config URI]...   check a configuration, start nothing
  collector components [--json]          list what this binary contains, with the modules of what was added on demand
  collector --version

A URI is file:PATH (or just PATH), env:NAME, yaml:TEXT or an http: or https: URL; several are merged. Without --config:
OPENTELEMETRY_COLLECTOR_CONFIG_URI or OPENTELEMETRY_COLLECTOR_CONFIG_FILE (several separated by commas), else the files that were
built into the layer (/opt/collector-config), else OTLP in and out to where the OTEL_EXPORTER_OTLP_* variables say.
OPENTELEMETRY_EXTENSION_LOG_LEVEL is debug, info, warn or error.
`

// Main runs the program of the process's arguments with these components, and ends the process.
func Main(version string, components host.Factories) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	spare(os.Getenv)
	signal.Ignore(syscall.SIGPIPE) // a log that nobody reads any more would end us
	context.AfterFunc(ctx, stop)   // a second signal ends us as usual
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr, version, components))
}

// spare collects garbage early in a function with little memory; else there may be as much of it as is in use, 24 MiB with full queues.
func spare(getenv func(string) string) {
	if getenv("GOMEMLIMIT") != "" {
		return
	}
	if megabytes, err := strconv.Atoi(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")); err == nil && megabytes > 0 {
		debug.SetMemoryLimit(int64(max(40, megabytes/8)) << 20)
	}
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer, version string, components host.Factories) int {
	verb, given, inJSON, err := parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "%s\n\n%s", err, usage)
		return 2
	}
	if len(given) == 0 {
		given = configuredURIs(os.Getenv)
	}
	if len(given) == 0 {
		given = embeddedURIs(embedded)
	}
	logger, level, log := newLogger(stdout, os.Getenv, os.Environ())
	for _, uri := range given {
		log.secrets.address(uri)
	}
	info := component.BuildInfo{Command: "opentelemetry-lambda-collector", Description: "OpenTelemetry Collector for AWS Lambda", Version: version}
	c := &collector{uris: given, components: components, info: info, logger: logger, level: level, secrets: log.secrets, limit: startLimit}
	switch address := os.Getenv("AWS_LAMBDA_RUNTIME_API"); {
	case verb == "help":
		fmt.Fprint(stdout, usage)
	case verb == "version":
		fmt.Fprintf(stdout, "collector %s\n", version)
	case verb == "components":
		fmt.Fprint(stdout, listed(components, inJSON))
	case verb == "validate":
		_, nowhere, err := c.configure(ctx)
		if err != nil {
			fmt.Fprintln(stderr, err)
			return 2
		}
		fmt.Fprintln(stdout, strings.Join(append([]string{"the configuration is good"}, nowhere...), "\n"))
	case address == "":
		return c.plain(ctx)
	default:
		name, _ := os.Executable()
		c.extension(ctx, address, filepath.Base(name), os.Getenv("AWS_LAMBDA_INITIALIZATION_TYPE"))
	}
	return 0
}

// parse is by hand: for three options the flag package is not worth its pages in memory.
func parse(args []string) (verb string, uris []string, inJSON bool, err error) {
	verb = "run"
	for i := 0; i < len(args); i++ {
		arg, value, joined := strings.Cut(args[i], "=")
		switch {
		case arg == "-h" || arg == "-help" || arg == "--help":
			return "help", nil, false, nil
		case arg == "-v" || arg == "-version" || arg == "--version":
			return "version", nil, false, nil
		case arg == "-config" || arg == "--config":
			if !joined {
				if i++; i == len(args) {
					return "", nil, false, errors.New("--config needs a URI")
				}
				value = args[i]
			}
			uris = append(uris, value)
		case i == 0 && (arg == "validate" || arg == "components"):
			verb = arg
		case verb == "components" && arg == "--json" && !joined:
			inJSON = true
		default:
			return "", nil, false, fmt.Errorf("unknown argument %q", args[i])
		}
	}
	return verb, uris, inJSON, nil
}

// embedded is where an on-demand build puts the configuration that it was told to put into the layer.
const embedded = "/opt/collector-config"

// embeddedURIs are the files of a folder in the order of their names, in which they are merged; none where there is no such folder. One
// that cannot be read is itself the URI, so that loading it says why.
func embeddedURIs(folder string) (found []string) {
	files, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return []string{"file:" + folder}
	}
	for _, file := range files {
		if name := file.Name(); strings.HasSuffix(name, ".yaml") {
			found = append(found, "file:"+filepath.Join(folder, name))
		}
	}
	return found
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
