"""What of telemetry may be stored at all: which traces, and what is hidden in them.

One definition for all that writes telemetry. Servers get it as JSON in an environment variable, so everything in it is
text that their JavaScript and our Python read alike: see `patterns` for regular expressions, `sampling` for the choice
of traces, `names` for the names of fields.
"""

from __future__ import annotations

from .definition import TelemetryPolicy, read_policy
from .patterns import compile_pattern

__all__ = ["TelemetryPolicy", "compile_pattern", "read_policy"]
