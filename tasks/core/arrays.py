"""NumPy arrays in `.npz` files: the form in which data passes from step to step, also data larger than memory."""

from __future__ import annotations

import errno
import math
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from tasks.core.folder import Folder

LARGE = 2**30  # bytes: an array of more stays on disk
BLOCK = 2**25  # bytes that are worked on at once


def read_arrays(folder: Folder, name: str, *keys: str) -> tuple[np.ndarray, ...]:
    """The named arrays of a `.npz` file; the others are not read. A key that ends in `?` may be missing: None.

    A large array is an `np.memmap`: its values are read from the file where they are needed, and take no memory.
    """
    with folder.reading(name) as path, np.load(path, allow_pickle=False) as file:
        return tuple(
            None if key.endswith("?") and key[:-1] not in file.files else _read(path, file, key.rstrip("?"))
            for key in keys
        )


def _read(path: Path, file, key: str) -> np.ndarray:
    if key not in file.files or file.zip.getinfo(f"{key}.npy").file_size <= LARGE:
        return file[key]
    entry = file.zip.getinfo(f"{key}.npy")
    with file.zip.open(entry) as array:
        read_header = {1: npy.read_array_header_1_0, 2: npy.read_array_header_2_0}[npy.read_magic(array)[0]]
        shape, by_columns, kind = read_header(array)
        header = array.tell()
    with open(path, "rb") as opened:  # a zip file has a header of its own before each entry: 30 bytes and two texts
        opened.seek(entry.header_offset + 26)
        texts = sum(struct.unpack("<HH", opened.read(4)))
    begin = entry.header_offset + 30 + texts + header
    return np.memmap(path, kind, "r", begin, shape, "F" if by_columns else "C")


def write_arrays(folder: Folder, name: str, **arrays: np.ndarray) -> None:
    """Uncompressed: reading 200 MB takes a tenth of a second.

    As NumPy's `savez` does it, whose headers in the zip file depend on Python's patch version; these do not.
    """
    with folder.write(name) as path, zipfile.ZipFile(path, "w") as file:
        for key, array in arrays.items():
            entry = zipfile.ZipInfo(f"{key}.npy")  # with no date
            entry.file_size = array.nbytes  # about: what is larger than 2 GiB has a longer header
            with file.open(entry, "w") as opened:
                npy.write_array(opened, np.asanyarray(array), allow_pickle=False)


def empty(shape: tuple[int, ...], kind: type[np.number]) -> np.ndarray:
    """An array to be filled. A large one lies in a file without a name, which goes when the array goes.

    Raises:
        OSError: the disk has no room for it.
    """
    size = math.prod(shape) * np.dtype(kind).itemsize
    if size <= LARGE:
        return np.empty(shape, kind)
    if size > (free := shutil.disk_usage(".").free):
        raise OSError(errno.ENOSPC, f"{size / 1e9:,.1f} GB of disk are needed, {free / 1e9:,.1f} are free")
    with tempfile.TemporaryFile(dir=".") as file:  # the system's folder for such files may lie in memory
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)  # else a disk that is full by then would end the process
        return np.memmap(file, kind, "w+", shape=shape)


def blocks(array: np.ndarray, rows: int | None = None) -> Iterator[slice]:
    """All rows of an array, or so many like them, some at a time."""
    rows, size = len(array) if rows is None else rows, max(1, BLOCK // max(1, array[:1].nbytes))
    for begin in range(0, rows, size):
        yield slice(begin, min(begin + size, rows))


def classes_of(y: np.ndarray) -> np.ndarray:
    """One integer a row: the class, or 0 for numbers to predict."""
    if y.ndim == 2 and y.shape[1] > 1:
        return y.argmax(axis=1)
    return np.zeros(len(y), int) if np.issubdtype(y.dtype, np.floating) else y.reshape(-1)
