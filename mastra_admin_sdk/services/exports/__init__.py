"""Telemetry as files for other tools: Parquet, OTLP JSON, OpenInference."""
