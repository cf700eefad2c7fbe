"""Datasets and their items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import Cursor, Dataset, DatasetItem
from mastra_admin_sdk.ports.storage import DatasetItemRepository, DatasetRepository

from . import tables
from .repository import SqlRepository, touch
from .rows import Codec


class SqlDatasets(SqlRepository[Dataset], DatasetRepository):
    """Datasets."""

    table = tables.datasets
    codec = Codec(Dataset, frozen=("id", "created_at", "updated_at"))

    def create(self, dataset: Dataset) -> Dataset:
        return self._insert(dataset, conflict=_describe_conflict(dataset.name))

    def get(self, dataset_id: str) -> Dataset:
        return self._get_by_id(dataset_id)

    def get_by_name(self, name: str) -> Dataset:
        return self._get(f"the name {name!r}", self.table.c.name == name)

    def list(self, *, limit: int | None = None, after: Cursor | None = None) -> Sequence[Dataset]:
        return self._fetch(self._select_newest_first(after), limit)

    def update(self, dataset_id: str, **changes: Any) -> Dataset:
        return self._update(dataset_id, changes, conflict=_describe_conflict(changes.get("name")))

    def delete(self, dataset_id: str) -> None:
        self._delete(dataset_id)


def _describe_conflict(name: str | None) -> str:
    return f"There is a dataset with the name {name!r} already."


class SqlDatasetItems(SqlRepository[DatasetItem], DatasetItemRepository):
    """Items of datasets."""

    table = tables.dataset_items
    codec = Codec(DatasetItem, frozen=("id", "dataset_id", "created_at", "updated_at"))

    def add(self, items: Iterable[DatasetItem]) -> int:
        rows = [self.codec.encode(item) for item in items]
        owners = {row["dataset_id"] for row in rows}
        moved = update(tables.datasets).where(tables.datasets.c.id.in_(owners)).values(touch(tables.datasets))

        def work(connection: Connection) -> None:
            connection.execute(insert(self.table), rows)
            connection.execute(moved)

        if rows:
            self._database.write(
                work,
                conflict="There is a dataset item with one of these ids already.",
                missing="An item needs a dataset that exists.",
            )
        return len(rows)

    def get(self, item_id: str) -> DatasetItem:
        return self._get_by_id(item_id)

    def list(self, dataset_id: str, *, limit: int | None = None, offset: int = 0) -> Sequence[DatasetItem]:
        if offset < 0:
            raise InvalidInput(f"An offset can't be negative, as {offset} is.")
        columns = self.table.c
        statement = select(self.table).where(columns.dataset_id == dataset_id).order_by(columns.sequence)
        return self._fetch(statement.offset(offset) if offset else statement, limit)

    def count(self, dataset_id: str) -> int:
        statement = select(func.count()).where(self.table.c.dataset_id == dataset_id)
        return int(self._database.read(lambda c: c.execute(statement).scalar_one()))

    def update(self, item_id: str, **changes: Any) -> DatasetItem:
        return self._update(item_id, changes)

    def delete(self, item_id: str) -> None:
        self._delete(item_id)
