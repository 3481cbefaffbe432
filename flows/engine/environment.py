"""What the bits of a training depend on besides code, parameters and data."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

FILE = "environment.json"  # beside the outputs, in git; no step reads it
FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve")


def describe() -> dict[str, object]:
    """The same on every machine that gives the same bits, as far as is known."""
    cpu = Path("/proc/cpuinfo")
    flags = set(cpu.read_text(encoding="utf-8").split()) if cpu.is_file() else set()
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = {
        name: version(name)
        for name in ("tensorflow", "keras", "numpy", "matplotlib", "pandas", "h5py")
    }
    return {
        "cpu": [name for name in FEATURES if name in flags],
        "threads": threads,
        "versions": packages,
    }
