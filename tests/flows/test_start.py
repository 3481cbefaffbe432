"""How the program is started: from anywhere, by its path, and by a Python that has no packages."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

WITHOUT_PACKAGES = [sys.executable, "-S"]  # without the folder site-packages


@pytest.fixture(scope="module")
def root(workspaces):
    return workspaces("started").path


def started(*command, cwd, **more) -> subprocess.CompletedProcess:
    options = {"capture_output": True, "text": True, "timeout": 120}
    return subprocess.run(command, cwd=cwd, **options, **more)


@pytest.mark.parametrize("link", [False, True], ids=["by its path", "through a link"])
def test_a_pipelines_file_can_be_started_from_another_folder(root, tmp_path, link):
    file = root / "flows" / "fashion.py"
    if link:
        (tmp_path / "clothes.py").symlink_to(file)
        file = tmp_path / "clothes.py"

    done = started(sys.executable, file, "--plan", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    steps = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert {"load", "fit", "evaluate"} <= set(steps)


@pytest.mark.parametrize(
    ("version", "begins"), [("3, 10", False), ("3, 14", False), ("3, 13", True)]
)
def test_a_python_for_which_there_is_no_tensorflow_is_refused_before_the_installation(
    root, tmp_path, version, begins
):
    """Such as the newest one: pip says in pages that no version fits."""
    python = tmp_path / "python"
    pretend = f'import sys; sys.version_info = ({version}); exec("".join(sys.argv[2:3]))'
    python.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{pretend}' \"$@\"\n")
    python.chmod(0o755)

    done = started("make", "install", f"PYTHON={python}", cwd=root)
    assert ("Installing into .venv" in done.stdout) == begins
    says = f"This is Python {version.replace(', ', '.')}. Expected 3.11, 3.12 or 3.13"
    assert done.stderr.startswith(says) != begins
    assert begins or "make install PYTHON=python3.13" in done.stderr


def test_the_program_asked_by_its_path_says_where_to_start_it(root, tmp_path):
    done = started(sys.executable, root / "flows", cwd=tmp_path)
    assert done.returncode == 1
    said = f"Run `python -m flows` from the project's folder: cd {root}"
    assert done.stderr.splitlines() == [said]


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "flows", "plan", "linear"],
        ["flows/fashion.py", "--plan"],
        ["-m", "flows.stage", "load", "linear"],
    ],
    ids=["the command line", "a pipeline's file", "a stage of dvc.yaml"],
)
def test_a_python_without_the_packages_is_told_so_in_one_line(root, command):
    done = started(*WITHOUT_PACKAGES, *command, cwd=root)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "make install" in line
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("megabytes", [500, 700])
def test_too_little_memory_to_start_is_one_line(root, megabytes):
    """Of the process, or of the server that it starts."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20,) * 2)

    command = [sys.executable, "-m", "flows", "train", "linear"]
    done = started(*command, cwd=root, preexec_fn=limit)
    assert done.returncode in (1, 127)  # 127: the C library had none for a thread
    assert "memory" in (done.stdout + done.stderr).lower()
    assert "Traceback" not in done.stdout + done.stderr
