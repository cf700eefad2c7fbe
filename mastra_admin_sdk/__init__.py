"""MastraAdmin: run many Mastra servers on your own machines, and see what their agents do as DataFrames."""

from __future__ import annotations

__version__ = "0.1.0"
