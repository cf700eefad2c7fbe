"""Telemetry: from files into the store, and back to people."""
