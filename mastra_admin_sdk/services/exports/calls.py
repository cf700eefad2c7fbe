"""Exporting, as a method of `MastraAdmin`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .service import Export, ExportService


class ExportCalls:
    """`export`: spans as files for other tools."""

    _exports: ExportService

    def export(self, path: str | Path, *, format: str = "parquet", **filters: Any) -> Export:
        """Write spans to a file; it is there when all is written, and else what was there before.

        Parameters:
            path: the file. For ``otlp`` one request, or with the ending ``.jsonl`` one of up to 1,000 spans on each
                line; for ``openinference`` Parquet, or with ``.jsonl`` a span on each line.
            format: ``parquet``: the columns and dtypes of `spans`. ``otlp``: OTLP JSON with OpenTelemetry's conventions
                for GenAI, which a collector takes. ``openinference``: the flat columns of Phoenix's DataFrames.
            filters: those of `spans`, such as ``project``, ``since``, ``type``; all spans that match unless a ``limit``
                is given. ``columns`` only for Parquet.

        Returns:
            An `Export`: ``path``, ``format``, ``spans``, ``skipped`` (spans that run still, or whose ids aren't
            OpenTelemetry's, in formats without room for them) and ``bytes``.

        Raises:
            InvalidInput: there is no such format or filter, the file's name says that it holds another one (such as
                ``.json`` for Parquet), or it can't be written.

        Example:
            >>> admin.export("spans.parquet", project="weather-agent", since="7d")
            >>> admin.export("spans.jsonl", format="otlp", since="1d")
        """
        return self._exports.export(path, format, filters)
