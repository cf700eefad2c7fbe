"""Datasets and their items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from mastra_admin_sdk.models import Cursor, Dataset, DatasetItem


class DatasetRepository(ABC):
    """Datasets."""

    @abstractmethod
    def create(self, dataset: Dataset) -> Dataset:
        """Store a new dataset; `Conflict` when its name is taken."""

    @abstractmethod
    def get(self, dataset_id: str) -> Dataset:
        """Return a dataset or raise `NotFound`."""

    @abstractmethod
    def get_by_name(self, name: str) -> Dataset:
        """Return a dataset or raise `NotFound`."""

    @abstractmethod
    def list(self, *, limit: int | None = None, after: Cursor | None = None) -> Sequence[Dataset]:
        """Return all datasets."""

    @abstractmethod
    def update(self, dataset_id: str, **changes: Any) -> Dataset:
        """Change fields of a dataset."""

    @abstractmethod
    def delete(self, dataset_id: str) -> None:
        """Remove a dataset with its items."""


class DatasetItemRepository(ABC):
    """Items of datasets, in the order in which they were added."""

    @abstractmethod
    def add(self, items: Iterable[DatasetItem]) -> int:
        """Store new items in one transaction and return how many; their datasets' ``updated_at`` moves.

        `NotFound` without their dataset, `Conflict` when an id is known; nothing is stored then.
        """

    @abstractmethod
    def get(self, item_id: str) -> DatasetItem:
        """Return an item or raise `NotFound`."""

    @abstractmethod
    def list(self, dataset_id: str, *, limit: int | None = None, offset: int = 0) -> Sequence[DatasetItem]:
        """Return items of a dataset, those that were added first at the top; of an unknown dataset none."""

    @abstractmethod
    def count(self, dataset_id: str) -> int:
        """Return how many items a dataset has."""

    @abstractmethod
    def update(self, item_id: str, **changes: Any) -> DatasetItem:
        """Change fields of an item, but not its dataset."""

    @abstractmethod
    def delete(self, item_id: str) -> None:
        """Remove an item."""
