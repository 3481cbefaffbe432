"""Promise 3, same inputs, same bytes: whatever is set around a run, and on how many cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Everything that was seen to change a byte, and what might.
SET = {
    "COLUMNS": "40",
    "KERAS_BACKEND": "jax",
    "KERAS_MAX_EPOCHS": "1",
    "KMP_BLOCKTIME": "0",
    "LC_ALL": "tr_TR.UTF-8",
    "MPLBACKEND": "none-that-is-known",
    "OMP_NUM_THREADS": "1",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "PYTHONHASHSEED": "7",
    "PYTHONIOENCODING": "ascii",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
    "TZ": "Asia/Kathmandu",
    "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
}
# Of these, what TensorFlow, Keras and the libraries below them read.
COMPUTING = ("KERAS_", "KMP_", "OMP_", "ONEDNN_", "TF_", "XLA_")
KERAS = {"floatx": "float64", "epsilon": 0.001, "image_data_format": "channels_first"}
MATPLOTLIB = (
    "font.size: 17\naxes.facecolor: yellow\nsavefig.dpi: 50\nimage.interpolation: bilinear\n"
)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Callable[[str], dict[str, bytes]]:
    """Every output of a run in each surrounding. They run at once."""
    place = tmp_path_factory.mktemp("surroundings")
    home = place / "home"
    (home / ".keras").mkdir(parents=True)
    (home / ".keras" / "keras.json").write_text(json.dumps(KERAS))
    (home / "matplotlibrc").write_text(MATPLOTLIB)
    other = {"KERAS_HOME": str(home / ".keras"), "MATPLOTLIBRC": str(home), **SET}

    runs = {
        "plain": started(place / "plain", 2),
        "other": started(place / "other", 2, **other),
        "one core": started(place / "one core", 2, core=min(os.sched_getaffinity(0))),
        "four threads": started(place / "four threads", 4),
    }
    said = {name: process.communicate(timeout=300)[0] for name, process in runs.items()}

    def of(name: str) -> dict[str, bytes]:
        assert runs[name].returncode == 0, said[name]
        files = (file for file in (place / name / "data").glob("*/*.*") if file.is_file())
        return {f"{file.parent.name}/{file.name}": file.read_bytes() for file in files}

    return of


def started(place: Path, threads: int, core: int | None = None, **env: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.whole", str(place), str(threads)],
        cwd=ROOT,
        env={**os.environ, **env},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
    )


def different(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    return [name for name in one | other if one.get(name) != other.get(name)]


def test_what_is_set_around_a_run_changes_no_byte_of_any_output(outputs):
    assert len(outputs("plain")) > 30
    assert different(outputs("plain"), outputs("other")) == []


def test_the_number_of_cores_changes_no_byte_of_any_output(outputs):
    assert different(outputs("plain"), outputs("one core")) == []


def test_the_number_of_threads_is_part_of_the_result(outputs):
    assert "cnn/best.weights.h5" in different(outputs("plain"), outputs("four threads"))


@pytest.mark.parametrize("verb", ["new", "remove", "train"])
def test_a_command_explains_itself_without_docstrings(verb):
    command = [sys.executable, "-OO", "-m", "flows", verb, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_tensorflow_that_runs_already_with_its_own_threads_is_refused():
    code = "import tensorflow as tf; tf.constant(0); import tasks.network.backend"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "fit.threads is 2, but TensorFlow runs in this process already" in done.stderr


def test_the_repository_of_a_hook_that_starts_a_run_is_not_taken_for_its_copy():
    hook = {"GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere", "GIT_INDEX_FILE": "/nowhere"}
    code = f"import flows, os; print([name for name in {list(hook)} if name in os.environ])"
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=ROOT, env={**os.environ, **hook}) == b"[]\n"


@pytest.mark.parametrize("name", [name for name in SET if name.startswith(COMPUTING)])
def test_tensorflow_sees_no_variable_that_changes_how_it_computes(name):
    """Each alone: together, one may hide what another does. It stops where Keras is imported."""
    code = f"""
import os, sys
sys.modules["keras"] = None
try:
    import tasks.network.backend
except ImportError:
    print(os.environ.get({name!r}))
"""
    env = {**os.environ, name: SET[name]}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True)
    assert done.stdout.decode().strip() in ("None", "tensorflow"), done.stderr
