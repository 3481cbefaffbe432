"""Debian's Chromium, for the tests of pages."""

from __future__ import annotations

import os
import shutil

import pytest

PATH = shutil.which("chromium")
needed = pytest.mark.skipif(not PATH, reason="Chromium is not installed here: `make tools` does it")
OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
SHOTS = os.environ.get("SCREENSHOTS")  # a folder to keep pictures of the pages in
