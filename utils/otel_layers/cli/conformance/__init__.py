"""The conformance suite: the same events through every language's layer, and the telemetry that all of them must emit."""
