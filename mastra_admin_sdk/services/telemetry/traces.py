"""One trace as an object: its spans as a DataFrame and as a tree, shown as a waterfall."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from mastra_admin_sdk.display.trace import TraceNode, render_trace_html, render_trace_text
from mastra_admin_sdk.display.waterfall import MOST_ROWS

from .pricing import pick_counted
from .trace_json import KEPT, dump_trace, load_trace
from .trace_search import pick_spans
from .trees import TraceTree

if TYPE_CHECKING:
    import pandas as pd

_SHOWN_LINES = 200


class TraceSource(Protocol):
    """Where a trace gets what isn't among its spans."""

    def logs(self, **filters: Any) -> pd.DataFrame:
        """Return its log lines."""
        ...

    def scores(self, **filters: Any) -> pd.DataFrame:
        """Return its scores."""
        ...

    def feedback(self, **filters: Any) -> pd.DataFrame:
        """Return its feedback."""
        ...

    def price(self, frame: pd.DataFrame) -> float | None:
        """Return what its tokens cost; ``None`` when none of its models has a price."""
        ...

    @property
    def currency(self) -> str:
        """The currency of the price table."""
        ...

    def trace_url(self, trace_id: str) -> str | None:
        """Return its address in the panel."""
        ...


@dataclass(frozen=True, slots=True)
class TraceTokens:
    """Tokens of a trace; ``cost`` is in ``currency``, and ``None`` when none of its models has a price."""

    input: int
    output: int
    cost: float | None = None
    currency: str = "USD"

    @property
    def total(self) -> int:
        """Input and output together."""
        return self.input + self.output


class Trace:
    """One trace. ``frame`` holds its spans, oldest first (`ports.observability.SPAN_COLUMNS`).

    Shown, it is a waterfall in a notebook and a tree in a terminal.

    Example:
        >>> trace = admin.trace("6854cc3c…")
        >>> trace.find(status="error")
    """

    def __init__(self, trace_id: str, frame: pd.DataFrame, source: TraceSource | None = None) -> None:
        self.id = trace_id
        self.frame = frame
        self._source = source

    @classmethod
    def from_json(cls, text: str) -> Trace:
        """Return a trace from the text that `to_json` made; it needs no store.

        Raises:
            InvalidInput: the text is no such trace.
        """
        trace_id, frames, cost, currency = load_trace(text)
        return cls(trace_id, frames.pop("spans"), _Kept(frames, cost, currency))

    # --- what it is ---------------------------------------------------------------------------------------------------

    @cached_property
    def tree(self) -> TraceTree:
        """Its spans as a `TraceTree`: ``roots``, nodes with ``span``, ``children``, ``depth`` and ``self_ms``."""
        return TraceTree(self.frame)

    @property
    def root(self) -> TraceNode | None:
        """The span that all others hang below; the earliest as long as that isn't known, ``None`` without spans."""
        return self.tree.roots[0] if self.tree.roots else None

    @property
    def status(self) -> str:
        """``error`` when its root failed, ``running`` while its root runs (or nothing is known), else ``ok``."""
        return self.root.status if self.root else "running"

    @property
    def duration(self) -> timedelta | None:
        """Time from the first start to the last end of its spans; ``None`` while one of them runs."""
        ms = self.duration_ms
        return None if ms is None else timedelta(milliseconds=ms)

    @property
    def duration_ms(self) -> float | None:
        """The same in milliseconds, as the column ``duration_ms`` of ``admin.traces()``."""
        if self.frame.empty or bool(self.frame["end_time"].isna().any()):
            return None
        return float((self.frame["end_time"].max() - self.frame["start_time"].min()).total_seconds() * 1000)

    @property
    def tokens(self) -> TraceTokens:
        """Its tokens, each counted once: steps repeat those of the generation that they are part of."""
        counted = pick_counted(self.frame)
        given, made = (int(counted[name].sum()) for name in ("input_tokens", "output_tokens"))
        source = self._source
        return (
            TraceTokens(given, made, source.price(self.frame), source.currency) if source else TraceTokens(given, made)
        )

    @cached_property
    def logs(self) -> pd.DataFrame:
        """The log lines that were written in it, oldest first (`ports.observability.LOG_COLUMNS`)."""
        return self._open().logs(trace_id=self.id, order="oldest", limit=None)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Scores of it and of its spans, oldest first (`ports.observability.SCORE_COLUMNS`)."""
        return self._open().scores(trace_id=self.id, order="oldest", limit=None)

    @cached_property
    def feedback(self) -> pd.DataFrame:
        """Notes, labels and other feedback on it and its spans, oldest first (`ports.columns.FEEDBACK_COLUMNS`)."""
        return self._open().feedback(trace_id=self.id, order="oldest", limit=None)

    @property
    def url(self) -> str | None:
        """Its page in the panel, such as ``http://127.0.0.1:3001/traces/<id>``; ``None`` for one read from JSON."""
        return self._source.trace_url(self.id) if self._source else None

    # --- what one can do ----------------------------------------------------------------------------------------------

    def find(
        self,
        *,
        name: str | Collection[str] | None = None,
        type: str | Collection[str] | None = None,
        status: str | Collection[str] | None = None,
        text: str | None = None,
    ) -> pd.DataFrame:
        """Return the spans that match all that is given, oldest first.

        Parameters:
            name: of the span, or of its agent, tool or workflow; several mean any of them.
            type: such as ``tool_call``.
            status: ``ok``, ``error`` or ``running``.
            text: what stands in their name, input, output or error, in whatever case.

        Returns:
            Rows of ``frame``.

        Raises:
            InvalidInput: there is no such status.
        """
        return pick_spans(self.frame, name=name, type=type, status=status, text=text)

    def refresh(self) -> Trace:
        """Return the trace as it is stored now, logs and scores too."""
        fresh = getattr(self._source, "trace", None)
        return Trace(self.id, fresh(self.id), self._source) if fresh else self

    def to_text(self, width: int = 80, *, limit: int | None = None) -> str:
        """Return the tree of spans as text of at most ``width`` columns; ``limit`` is how many spans are shown."""
        return render_trace_text(self.tree.roots, width=width, limit=limit)

    def to_html(self, *, limit: int | None = MOST_ROWS, styles: bool = True, link: bool = True) -> str:
        """Return the waterfall as HTML that needs no script and loads nothing.

        Parameters:
            limit: how many spans it shows at most, those that failed and the longest first; ``None`` shows all.
            styles: whether it brings its style sheet along.
            link: whether it leads to the panel while that runs.
        """
        url = self._find_open_page() if link else None
        return render_trace_html(self.tree.roots, limit=limit, styles=styles, facts=self._list_facts(), url=url)

    def to_json(self, *, indent: int | None = None) -> str:
        """Return all of it as JSON text, which `from_json` reads back: the shape is in docs/comparing.md."""
        frames = {"spans": self.frame, "logs": self.logs, "scores": self.scores, "feedback": self.feedback}
        tokens = self.tokens
        facts = {
            "trace_id": self.id,
            "status": self.status,
            "duration_ms": self.duration_ms,
            "tokens": {name: getattr(tokens, name) for name in ("input", "output", "total", "cost", "currency")},
        }
        return dump_trace(facts, frames, indent=indent)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return self.to_text(limit=_SHOWN_LINES)

    def _open(self) -> TraceSource:
        return self._source or _Kept()

    def _list_facts(self) -> list[str]:
        tokens = self.tokens
        facts = [f"{tokens.input:,} → {tokens.output:,} tokens"] if tokens.total else []
        return [*facts, *([f"{tokens.cost:.4g} {tokens.currency}"] if tokens.cost else [])]

    def _find_open_page(self) -> str | None:
        is_open = getattr(self._source, "is_panel_open", None)
        return self.url if is_open and is_open() else None


class _Kept:
    """Stands in for the store of a trace that was read from JSON, or has none."""

    def __init__(
        self, frames: Mapping[str, pd.DataFrame] | None = None, cost: float | None = None, currency: str = "USD"
    ) -> None:
        self._frames, self._cost, self.currency = frames or {}, cost, currency

    def logs(self, **_: Any) -> pd.DataFrame:
        return self._get("logs")

    def scores(self, **_: Any) -> pd.DataFrame:
        return self._get("scores")

    def feedback(self, **_: Any) -> pd.DataFrame:
        return self._get("feedback")

    def price(self, _: pd.DataFrame) -> float | None:
        return self._cost

    def trace_url(self, _: str) -> None:
        return None

    def _get(self, name: str) -> pd.DataFrame:
        import pandas as pd

        found = self._frames.get(name)
        return pd.DataFrame(columns=list(KEPT[name])) if found is None else found
