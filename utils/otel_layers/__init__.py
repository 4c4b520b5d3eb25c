"""The package behind run.sh: builds, runs, deploys and publishes OpenTelemetry's layers for AWS Lambda."""
