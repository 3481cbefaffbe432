"""NumPy arrays in `.npz` files: how data passes between steps, also if larger than memory."""

from __future__ import annotations

import errno
import math
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from tasks.core.folder import Folder
from tasks.core.step import must_stop, stop

LARGE = 2**28  # bytes: a larger array stays on disk
BLOCK = 2**25  # bytes that are worked on at once
# At most in a batch, when a model only answers: the outputs of layers on images are large.
ROWS = 256
VALUES = 2**22
ZIP_HEADER = 30  # bytes before each entry of a zip file, without its two texts
HEADERS = {1: npy.read_array_header_1_0, 2: npy.read_array_header_2_0}  # by NumPy's format version


def read_arrays(
    folder: Folder, name: str, *keys: str, optional: Sequence[str] = ()
) -> tuple[Any, ...]:
    """Some arrays of a `.npz` file; the others are not read.

    A large array is an `np.memmap`: its values are read from the file where they are needed,
    and take no memory.

    Args:
        folder: the pipeline's folder.
        name: the file's name.
        keys: of the arrays, which must be there.
        optional: keys of more arrays, each of which is None if the file does not have it.
    """
    with folder.reading(name) as path, np.load(path, allow_pickle=False) as file:
        there = [key for key in optional if key in file.files]
        found = {key: _read(path, file, key) for key in (*keys, *there)}
        return tuple(found.get(key) for key in (*keys, *optional))


def _read(path: Path, file, key: str) -> np.ndarray:
    name = f"{key}.npy"
    if key not in file.files or file.zip.getinfo(name).file_size <= LARGE:
        return file[key]

    entry = file.zip.getinfo(name)
    with file.zip.open(entry) as array:
        read_header = HEADERS[npy.read_magic(array)[0]]
        shape, by_columns, kind = read_header(array)
        header = array.tell()

    with open(path, "rb") as opened:  # the lengths of the two texts in the entry's header
        opened.seek(entry.header_offset + ZIP_HEADER - 4)
        texts = sum(struct.unpack("<HH", opened.read(4)))
    begin = entry.header_offset + ZIP_HEADER + texts + header
    return np.memmap(path, kind, "r", begin, shape, "F" if by_columns else "C")


def write_arrays(folder: Folder, name: str, **arrays: np.ndarray) -> None:
    """Write arrays uncompressed: reading 200 MB then takes a tenth of a second.

    NumPy's `savez` writes zip headers that depend on Python's patch version; these do not.
    """
    with folder.write(name) as path, zipfile.ZipFile(path, "w") as file:
        for key, array in arrays.items():
            entry = zipfile.ZipInfo(f"{key}.npy")  # with no date
            entry.file_size = array.nbytes  # roughly: more than 2 GiB needs a longer header
            with file.open(entry, "w") as opened:
                npy.write_array(opened, np.asanyarray(array), allow_pickle=False)


def empty(shape: tuple[int, ...], kind: np.typing.DTypeLike, place: Path) -> np.ndarray:
    """An array to be filled. A large one is a file without a name, which goes when the array goes.

    Args:
        shape: of the array.
        kind: the type of its values.
        place: a folder for the file; the system's folder for such files may lie in memory.

    Raises:
        OSError: the disk has no room for it.
    """
    size = math.prod(shape) * np.dtype(kind).itemsize
    if size <= LARGE:
        return np.empty(shape, kind)

    free = shutil.disk_usage(place).free
    if size > free:
        needed = f"{size / 1e9:,.1f} GB of disk are needed, {free / 1e9:,.1f} are free"
        raise OSError(errno.ENOSPC, needed)
    with tempfile.TemporaryFile(dir=place) as file:
        if hasattr(os, "posix_fallocate"):  # a disk that fills up later would end the process
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, kind, "w+", shape=shape)


def blocks(array: np.ndarray, rows: int | None = None) -> Iterator[slice]:
    """The rows of an array, or as many rows like them as `rows` says, some at a time.

    Between two of them a step can be stopped.
    """
    rows = len(array) if rows is None else rows
    size = max(1, BLOCK // max(1, array[:1].nbytes))
    for begin in range(0, rows, size):
        if must_stop():
            stop(f"after {begin:,} of {rows:,} rows")
        yield slice(begin, min(begin + size, rows))


def taken(parts: Sequence[np.ndarray], rows: Sequence[np.ndarray], place: Path) -> np.ndarray:
    """Some rows of arrays, one array after the other, in one that is filled block by block.

    Args:
        parts: arrays whose rows have one shape.
        rows: of each array, the numbers of its rows.
        place: as for `empty`.
    """
    shape = (sum(map(len, rows)), *parts[0].shape[1:])
    found = empty(shape, np.result_type(*parts), place)
    begin = 0
    for part, numbers in zip(parts, rows, strict=True):
        target = found[begin : begin + len(numbers)]
        few = target.nbytes <= BLOCK
        for some in [slice(None)] if few else blocks(target):
            target[some] = part[numbers[some]]
        begin += len(numbers)
    return found


def by_columns(x: np.ndarray, place: Path) -> np.ndarray:
    """The same rows; of a large array, column after column, so that one is read without the others.

    Args:
        x: (rows, columns).
        place: as for `empty`.
    """
    if not isinstance(x, np.memmap):
        return x
    columns = empty(x.shape[::-1], x.dtype, place)
    for some in blocks(x):
        columns[:, some] = x[some].T
    return columns.T


def batch_of(x: np.ndarray) -> int:
    """Rows like these that a model answers at once."""
    return max(1, min(ROWS, VALUES // x[:1].size))


def classes_of(y: np.ndarray) -> np.ndarray:
    """The class of each row as an integer; 0 for regression targets."""
    if y.ndim == 2 and y.shape[1] > 1:
        return y.argmax(axis=1)
    return np.zeros(len(y), int) if np.issubdtype(y.dtype, np.floating) else y.reshape(-1)
