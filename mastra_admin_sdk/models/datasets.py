"""Datasets: inputs with what is expected of them, which a replay runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mastra_admin_sdk.display.shown import Shown

from .entities import new_id, utc_now
from .showing_more import describe_dataset, describe_item


@dataclass(frozen=True, slots=True, repr=False)
class Dataset(Shown):
    """A list of items under a name, which is unique."""

    name: str
    description: str = ""
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)

    _describe = describe_dataset


@dataclass(frozen=True, slots=True, repr=False)
class DatasetItem(Shown):
    """One input of a dataset.

    ``input`` and ``expected`` are any JSON value. ``target`` is what it is an input of: ``agent:<id>`` or
    ``workflow:<id>``. ``source_trace_id`` and ``source_span_id`` say which span it was made from.
    """

    dataset_id: str
    input: Any
    expected: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    target: str | None = None
    source_trace_id: str | None = None
    source_span_id: str | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)

    _describe = describe_item
