"""Writes spans to files for other tools, in parts: memory is bounded by one part, and a file is whole or not there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.services.outputs import write_whole
from mastra_admin_sdk.services.telemetry.service import TelemetryService

from .openinference import COLUMNS, make_record, make_schema
from .otlp import make_request
from .rows import SpanRow, read_rows

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ROWS_AT_ONCE = 10_000
FORMATS = ("parquet", "otlp", "openinference")

_SPANS_IN_REQUEST = 1_000
_REFUSED = ("count", "chunks")
_MISNAMED = {
    "parquet": {
        ".csv": "Name it .parquet.",
        ".json": 'Name it .parquet, or use format="otlp" for JSON.',
        ".jsonl": 'Name it .parquet, or use format="otlp" for JSON lines.',
    },
    "otlp": {".parquet": "Name it .json or .jsonl, or leave the format out for Parquet."},
}
"""Endings of files that hold something else than a format writes, and what to say instead."""


@dataclass(frozen=True, slots=True)
class Export:
    """What was written. ``skipped`` are spans that the format can't hold: not ended, or with ids of another kind."""

    path: Path
    format: str
    spans: int
    skipped: int
    bytes: int

    def __repr__(self) -> str:
        skipped = f", {self.skipped:,} skipped" if self.skipped else ""
        return f"<Export {self.spans:,} spans{skipped}, {self.bytes:,} bytes of {self.format} in {str(self.path)!r}>"


@dataclass(slots=True)
class _Count:
    written: int = 0
    skipped: int = 0


class ExportService:
    """Writes spans to files."""

    def __init__(self, telemetry: TelemetryService, version: str) -> None:
        self._telemetry, self._version = telemetry, version

    def export(self, path: str | Path, format: str, filters: Mapping[str, Any]) -> Export:
        """Write the spans that match; see `ExportCalls.export`."""
        write = self._find_writer(path, format, filters)
        _check_ending(path, format)
        count = _Count()
        if filters.get("since") is None and filters.get("until") is None:
            # What is asked on the screen may go back a day unless told otherwise; a file holds all that matches.
            filters = {**filters, "since": "all"}
        with write_whole(path) as draft:
            write(draft, filters, count)
        target = Path(path).expanduser().absolute()
        return Export(target, format, count.written, count.skipped, target.stat().st_size)

    def _find_writer(
        self, path: str | Path, format: str, filters: Mapping[str, Any]
    ) -> Callable[[Path, Mapping[str, Any], _Count], None]:
        if format not in FORMATS:
            raise InvalidInput(f"There is no format {format!r}.", hint=f"Formats: {', '.join(FORMATS)}.")
        for name in (*_REFUSED, *(["columns"] if format != "parquet" else [])):
            if filters.get(name) is not None:
                raise InvalidInput(f"An export to {format} takes no {name}.", hint="Leave it out.")
        if format == "parquet":
            return self._write_parquet
        if format == "otlp":
            return self._write_request_lines if _has_lines(path) else self._write_request
        return self._write_record_lines if _has_lines(path) else self._write_record_table

    # --- Parquet ------------------------------------------------------------------------------------------------------

    def _write_parquet(self, path: Path, filters: Mapping[str, Any], count: _Count) -> None:
        import pyarrow.parquet as pq

        writer: Any = None
        try:
            for frame in self._read_frames(filters):
                table = make_table(frame)
                if writer is None:
                    writer = pq.ParquetWriter(path, table.schema, compression="zstd")
                writer.write_table(table.replace_schema_metadata(writer.schema.metadata))
                count.written += len(frame)
        finally:
            if writer is not None:
                writer.close()

    # --- OTLP ---------------------------------------------------------------------------------------------------------

    def _write_request(self, path: Path, filters: Mapping[str, Any], count: _Count) -> None:
        with path.open("w", encoding="utf-8", errors="replace") as file:
            file.write('{"resourceSpans":[')
            between = ""
            for rows in self._read_otel_rows(filters, count):
                for group in make_request(rows, self._version)["resourceSpans"]:
                    file.write(f"{between}{_dump(group)}")
                    between = ",\n"
            file.write("]}\n")

    def _write_request_lines(self, path: Path, filters: Mapping[str, Any], count: _Count) -> None:
        with path.open("w", encoding="utf-8", errors="replace") as file:
            for rows in self._read_otel_rows(filters, count):
                file.write(f"{_dump(make_request(rows, self._version))}\n")

    def _read_otel_rows(self, filters: Mapping[str, Any], count: _Count) -> Iterator[list[SpanRow]]:
        for rows in self._read_rows(filters):
            fit = [row for row in rows if row.has_otel_ids and row.end_ns is not None]
            count.written += len(fit)
            count.skipped += len(rows) - len(fit)
            for start in range(0, len(fit), _SPANS_IN_REQUEST):
                yield fit[start : start + _SPANS_IN_REQUEST]

    # --- OpenInference ------------------------------------------------------------------------------------------------

    def _write_record_lines(self, path: Path, filters: Mapping[str, Any], count: _Count) -> None:
        with path.open("w", encoding="utf-8", errors="replace") as file:
            for row in self._read_ended(filters, count):
                told = {name: value for name, value in make_record(row).items() if value is not None}
                file.write(f"{_dump(told)}\n")

    def _write_record_table(self, path: Path, filters: Mapping[str, Any], count: _Count) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = make_schema()
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for records in _batch((make_record(row) for row in self._read_ended(filters, count)), ROWS_AT_ONCE):
                columns = {name: [record.get(name) for record in records] for name in COLUMNS}
                writer.write_table(pa.table(columns, schema=schema))

    def _read_ended(self, filters: Mapping[str, Any], count: _Count) -> Iterator[SpanRow]:
        for rows in self._read_rows(filters):
            for row in rows:
                if row.end_ns is None:
                    count.skipped += 1
                    continue
                count.written += 1
                yield row

    # --- reading ------------------------------------------------------------------------------------------------------

    def _read_rows(self, filters: Mapping[str, Any]) -> Iterator[list[SpanRow]]:
        for frame in self._read_frames(filters):
            for start in range(0, len(frame), _SPANS_IN_REQUEST):
                yield list(read_rows(frame.iloc[start : start + _SPANS_IN_REQUEST]))

    def _read_frames(self, filters: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
        """Yield the spans in parts, all of them unless a limit is given; an empty one when there are none."""
        asked = {"limit": None, **filters}
        is_empty = True
        for frame in self._telemetry.spans(**asked, chunks=ROWS_AT_ONCE):
            is_empty = False
            yield frame  # type: ignore[misc]
        if is_empty:
            yield self._telemetry.spans(**{**asked, "limit": 1}).iloc[:0]


def make_table(frame: pd.DataFrame) -> pa.Table:
    """Return spans as an Arrow table whose types don't depend on what is in it; reading it gives their dtypes back."""
    import pandas as pd
    import pyarrow as pa

    plain = pd.DataFrame({name: frame[name] for name in frame.columns})
    schema = pa.schema([(str(name), _find_type(str(dtype))) for name, dtype in plain.dtypes.items()])
    return pa.Table.from_pandas(plain, schema=schema, preserve_index=False)


def _find_type(dtype: str) -> pa.DataType:
    import pyarrow as pa

    known = {
        "category": pa.dictionary(pa.int32(), pa.string()),
        "datetime64[ms, UTC]": pa.timestamp("ms", tz="UTC"),
        "float64": pa.float64(),
        "Int64": pa.int64(),
    }
    return known.get(dtype, pa.string())


def _check_ending(path: str | Path, format: str) -> None:
    ending = Path(path).suffix.lower()
    if hint := _MISNAMED.get(format, {}).get(ending):
        raise InvalidInput(f"An export to {format} makes no {ending} file, as {str(path)!r} says.", hint=hint)


def _has_lines(path: str | Path) -> bool:
    return Path(path).suffix == ".jsonl"


def _batch(records: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for record in records:
        batch.append(record)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_simplify)


def _simplify(value: object) -> str:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else str(value)
