"""How long the drivers take to find nothing to do, beside an empty DVC project and an empty flow.

python benchmarks/idle.py [--rounds 5]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from common import clone, rounds, scratch, timed

EMPTY_FLOW = "from prefect import flow\n@flow\ndef empty(): pass\nempty()\n"
STAGES = 24  # of ours: eight for each of three pipelines
SMALL = {
    "fashion.fit.epochs": 1,
    "fashion.build.hidden": [16],
    "fashion-cnn.fit.epochs": 1,
    "fashion-cnn.build.filters": [2],
}


def empty_stages(place, count: int):
    """A DVC project of as many stages as ours, in a row; each copies a file of four bytes."""
    place.mkdir()
    (place / "0.txt").write_text("none")
    stages = (
        f"  s{k}:\n    cmd: cp {k}.txt {k + 1}.txt\n    deps: [{k}.txt]\n    outs: [{k + 1}.txt]\n"
        for k in range(count)
    )
    (place / "dvc.yaml").write_text("stages:\n" + "".join(stages))
    for command in (
        ["git", "init", "-q"],
        ["dvc", "init", "-q"],
        ["dvc", "config", "core.analytics", "false"],
    ):
        subprocess.run(command, cwd=place, check=True)
    return place


def main() -> None:
    count = rounds(__doc__, 5)
    with scratch() as place:
        ours = clone(place / "ours", SMALL)
        empty = empty_stages(place / "empty", STAGES)
        (place / "empty.py").write_text(EMPTY_FLOW)
        home = {
            "PREFECT_HOME": str(place / "home"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }
        patient = {**home, "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300"}
        flow, stages = [sys.executable, "flows/fashion.py"], ["dvc", "repro"]
        empty_flow = [sys.executable, str(place / "empty.py")]
        timed(flow, ours, **home)
        timed(stages, ours)
        timed(stages, empty)

        rows: dict[str, list[float]] = {}

        def take(name: str, *run, **env: str) -> None:
            rows.setdefault(name, []).append(timed(*run, **env).seconds)

        for _ in range(count):
            take("`dvc repro`", stages, ours)
            take(f"`dvc repro` of {STAGES} empty stages", stages, empty)
            take("`python flows/fashion.py`", flow, ours, **home)
            take("an empty Prefect flow", empty_flow, place, **patient)

        with server(ours, home) as url:
            there = {**home, "PREFECT_API_URL": url}
            for _ in range(count):
                take("`python flows/fashion.py`, server running", flow, ours, **there)
                take("an empty Prefect flow, server running", empty_flow, place, **there)
    show(rows, count)


@contextmanager
def server(project: Path, home: dict[str, str]) -> Iterator[str]:
    """Prefect's server, as `make ui` starts it; its address, when it answers."""
    command = [sys.executable, "-m", "flows", "ui"]
    env = {**os.environ, **home}
    process = subprocess.Popen(command, cwd=project, env=env, stdout=subprocess.PIPE)
    try:
        url = process.stdout.readline().decode().split()[5].rstrip(".") + "/api"
        for _ in range(600):
            try:
                urlopen(f"{url}/health")
                break
            except URLError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def show(rows: dict[str, list[float]], count: int) -> None:
    """Print the medians; of two rows that follow each other, the second is the empty one."""
    print(f"Medians of {count}, whole processes\n\n| | seconds | to the empty one |\n|---|---|---|")
    names = list(rows)
    for name, base in zip(names[::2], names[1::2], strict=True):
        ours, empty = statistics.median(rows[name]), statistics.median(rows[base])
        print(f"| {name} | {ours:.1f} | {ours / empty:.2f} |\n| {base} | {empty:.1f} | |")


if __name__ == "__main__":
    main()
