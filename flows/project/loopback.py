"""The names of this machine that lead no other machine to it."""

from __future__ import annotations

from urllib.parse import urlsplit

HERE = ("127.0.0.1", "localhost", "::1")


def is_here(url: str) -> bool:
    """Whether an address is one of this machine, for itself."""
    return urlsplit(url).hostname in HERE
