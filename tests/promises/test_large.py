"""Data larger than memory: the bytes are the same, and no step holds large arrays in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks import build, compile, evaluate, fit, load, normalize, reload_best, visualize
from tasks.core import arrays
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import images
from tests.conftest import ROOT
from tests.support import tiny
from tests.support.tiny import CNN, changed

CLASSES, SIDE = 3, 8


def photographs(path: Path, count: int, side: int = SIDE) -> images.Params:
    """A folder of images, one class brighter than the other; an eighth become test rows."""
    random = np.random.default_rng(0)
    for number in range(count):
        place = path / f"kind {number % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 150, (side, side, 3), dtype=np.uint8) + np.uint8(
            50 * (number % CLASSES)
        )
        Image.fromarray(pixels).save(place / f"{number:05}.png", compress_level=0)
    return images.Params(
        source="images",
        path=str(path),
        size=[side, side],
        color="rgb",
        broken="refuse",
        test=0.125,
        seed=0,
    )


def run(folder: Folder, data: images.Params, scale: str, build_params, fit_params) -> None:
    """All eight steps."""
    load.load(folder, data)
    normalize.normalize(folder, normalize.Params(scale=scale, validation=12, seed=0))
    visualize.visualize(folder, visualize.Params(near=5.0))
    build.build(folder, build_params)
    compile.compile(folder, tiny.COMPILE)
    fit.fit(folder, fit_params, tiny.RUN)
    reload_best.reload_best(folder, reload_best.Params())
    evaluate.evaluate(folder, tiny.EVALUATE)


@pytest.mark.parametrize(
    ("scale", "model", "training"),
    [
        ("pixels", tiny.BUILD, {"jit_compile": True, "steps_per_execution": 3}),
        ("standard", CNN, {"flip": True, "shift": 2, "steps_per_execution": "auto"}),
    ],
)
def test_on_disk_and_in_memory_the_bytes_are_the_same(
    tmp_path, monkeypatch, scale, model, training
):
    data, chosen = photographs(tmp_path / "in", 80), changed(tiny.FIT, **training)
    found = []
    for place, large in (("one", arrays.LARGE), ("two", 0)):
        monkeypatch.setattr(arrays, "LARGE", large)
        folder = tmp_path / place / "tiny"
        run(Folder(folder), data, scale, model, chosen)
        found.append({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})
    in_memory, on_disk = found
    assert sorted(in_memory) == sorted(on_disk)
    assert [name for name in in_memory if in_memory[name] != on_disk[name]] == []


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_array_is_mapped_from_the_file(tmp_path, monkeypatch, order):
    folder, few = Folder(tmp_path), np.arange(3)
    many = np.asarray(np.random.default_rng(0).random((50, 3, 2)), order=order)
    arrays.write_arrays(folder, "a.npz", few=few, many=many, last=few)
    monkeypatch.setattr(arrays, "LARGE", few.nbytes + 128)  # NumPy's own header is 128 bytes
    found_few, found_many, last, missing, again = arrays.read_arrays(
        folder, "a.npz", "few", "many", "last", optional=("more", "few")
    )
    assert isinstance(found_many, np.memmap)
    assert not isinstance(found_few, np.memmap)
    assert missing is None
    np.testing.assert_array_equal(again, few)
    np.testing.assert_array_equal(found_many, many)
    np.testing.assert_array_equal(last, few)
    with pytest.raises(ValueError, match="read-only"):
        found_many[0] = 0


def test_more_than_the_disk_holds_is_refused_before_it_is_full(tmp_path):
    with pytest.raises(OSError, match=r"[\d,.]+ GB of disk are needed, [\d,.]+ are free"):
        arrays.empty((10**9, 10**9), np.uint8, tmp_path)
    data = changed(photographs(tmp_path / "in", 6), size=[10**6, 10**6], test=0.5)
    with pytest.raises(
        UserError, match=r"load\.size is 1000000 x 1000000, .* GB of disk are needed"
    ):
        load.load(Folder(tmp_path / "out"), data)


BIG, PHOTOGRAPHS = 120, 1600  # 69 MB as they come, 276 MB as float32
MEMORY = """
import sys
from pathlib import Path
from tasks.core import arrays
from tasks.core.folder import Folder
from tasks.rows import near_duplicates
from tasks.training import loop
from tests.promises import test_large
from tests.support import tiny
from tests.support.memory import added
from tests.support.tiny import CNN, changed

place = Path(sys.argv[1])
data = test_large.images.Params(
    source="images", path=str(place / "in"), size=[test_large.BIG] * 2, color="rgb",
    broken="refuse", test=0.125, seed=0,
)
training = changed(tiny.FIT, epochs=1, steps_per_execution="auto")
few = changed(data, size=[16, 16])
test_large.run(Folder(place / "warm"), few, "standard", CNN, training)
arrays.LARGE = 10**6
arrays.BLOCK = loop.ROOM = 2**21
near_duplicates.BLOCK = 2**18
print(added(lambda: test_large.run(Folder(place / "out"), data, "standard", CNN, training)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")
def test_no_step_holds_large_data_in_memory(tmp_path):
    photographs(tmp_path / "in", PHOTOGRAPHS, BIG)
    command = [sys.executable, "-c", MEMORY, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    needed, size = (
        int(done.stdout.splitlines()[-1]),
        (tmp_path / "out" / "normalized.npz").stat().st_size,
    )
    assert needed < size / 2, needed  # with LARGE = 10**12 it is 2.6 times the size
