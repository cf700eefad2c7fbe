"""One-line texts for deployments and builds."""

from __future__ import annotations


def render_deployment(slug: str, status: str, url: str | None, reason: str | None) -> str:
    """Return a line such as ``<Deployment main running http://…>``."""
    return f"<Deployment {slug} {status} {url or 'no address yet'}{f' ({reason})' if reason else ''}>"


def render_build(number: int, status: str, seconds: float, error: str | None) -> str:
    """Return a line such as ``<Build #3 succeeded in 24.1 s>``."""
    took = f" in {seconds:.1f} s" if seconds else ""
    return f"<Build #{number} {status}{took}{f': {error}' if error else ''}>"


def render_panel(url: str, *, is_running: bool) -> str:
    """Return a line such as ``<Panel running http://…>``."""
    return f"<Panel {f'running {url}' if is_running else 'ended'}>"
