"""A Collector with exactly the components that a configuration names: found, resolved to Go modules, compiled into the same host."""
