"""Which traces are kept: by a number that is made of the trace id, so that whoever asks gets the same answer.

A trace that is kept at one share is kept at every larger one. The servers' ``sampling.mjs`` computes the same number.
"""

from __future__ import annotations

_MASK = 0xFFFFFFFF
_SPAN = 1 << 32


def admits(trace_id: str, share: float) -> bool:
    """Return whether a trace is among the share (0 to 1) that is kept.

    Example:
        >>> admits("6854cc3c5d1f4d7e9f3a2b1c0d9e8f7a", 1.0)
        True
    """
    return share >= 1.0 or number_trace(trace_id) < share * _SPAN


def number_trace(trace_id: str) -> int:
    """Return a number below 2**32, evenly spread over trace ids: FNV-1a of the text, mixed."""
    number = 0x811C9DC5
    for byte in trace_id.encode("utf-8", "replace"):
        number = ((number ^ byte) * 0x01000193) & _MASK
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        number = ((number ^ (number >> shift)) * factor) & _MASK
    return number ^ (number >> 16)
