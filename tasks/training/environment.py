"""What the bits of a training depend on besides code, parameters and data."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

FILE = "environment.json"  # beside the weights, in git; no step reads it
MAKER = "vendor_id"  # the line of /proc/cpuinfo: two makes may round convolutions differently
FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve")
PACKAGES = ("tensorflow", "keras", "numpy", "matplotlib", "pandas", "h5py")


def describe() -> dict[str, Any]:
    """The same on every machine that gives the same bits, as far as is known."""
    cpu = Path("/proc/cpuinfo")
    words = cpu.read_text(encoding="utf-8").split() if cpu.is_file() else []
    maker = words[words.index(MAKER) + 2 :][:1] if MAKER in words else []
    flags = set(words)
    return {
        "cpu": [*maker, *(name for name in FEATURES if name in flags)],
        "versions": {name: version(name) for name in PACKAGES},
    }


def differences(there: dict[str, Any]) -> str:
    """In what another environment is not this one, in words; nothing if it is."""
    here = describe()
    lines = (
        f"{name} was {there.get(name)}, here {here[name]}"
        for name in here
        if there.get(name) != here[name]
    )
    return "; ".join(lines)
