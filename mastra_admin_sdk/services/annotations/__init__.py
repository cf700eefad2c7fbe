"""What people say about traces and spans: scores, notes and labels, written back as telemetry."""
