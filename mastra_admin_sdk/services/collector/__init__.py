"""Telemetry that comes over HTTP: read, mapped to lines, and written where the servers' own lines are."""
