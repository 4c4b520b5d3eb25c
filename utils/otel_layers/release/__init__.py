"""Plans, publishes and verifies layer versions, and writes what users copy."""
