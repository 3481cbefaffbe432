"""NumPy arrays in `.npz` files: the form in which data passes from step to step."""

from __future__ import annotations

import numpy as np

from tasks.base import Folder, whole


def read_arrays(folder: Folder, name: str, *keys: str) -> tuple[np.ndarray, ...]:
    """The named arrays of a `.npz` file; the others are not read. A key that ends in `?` may be missing: None."""
    path = folder.read(name)
    with whole(path), np.load(path, allow_pickle=False) as file:
        return tuple(
            None if key.endswith("?") and key[:-1] not in file.files else file[key.rstrip("?")] for key in keys
        )


def write_arrays(folder: Folder, name: str, **arrays: np.ndarray) -> None:
    """Uncompressed: reading 200 MB takes a tenth of a second. NumPy writes no time stamps into the file."""
    with folder.write(name) as path, open(path, "wb") as file:
        np.savez(file, **arrays)
