// Command collector is the OpenTelemetry Collector as a Lambda extension, with the built-in components only.
package main

import "github.com/open-telemetry/opentelemetry-lambda/collector/app"

var version = "0.0.0-dev" // set when linking

func main() { app.Main(version, app.Builtin()) }
