"""What 1,000 trials on 50 machines cost, with trials that sleep for a second instead of training.

python benchmarks/scale.py [--trials 1000] [--workers 50] [--weights 100000]

The sweep, Dask's scheduler, its workers (all in one process), DVC's cache, git and the remote are
the real ones; only `run_there` is not. A trial's outputs are random bytes of the right number.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import clone, scratch, timed
from benchmarks.sweep import put
from flows.engine import machines
from flows.engine.away import Order, Parcel
from flows.engine.trial import DONE, Result, Trials
from flows.memory.exchange import pull, push
from flows.project import sweeps
from flows.project.folder import Project
from flows.project.sweeps import STEPS

SECOND = 1.0  # that a trial sleeps
HISTORY = "epoch,loss,mae,checkpoint\n1,{0},{0},1\n"
SPACE = {"compile.learning_rate": {"low": 0.0001, "high": 0.1, "log": True}}
SETTINGS = "SCALE_PROJECT", "SCALE_WEIGHTS"


def stand_in(order: Order) -> Parcel:
    """What a worker answers: as `run_there`, with random weights."""
    time.sleep(SECOND)
    trials, weights = _trials(), int(os.environ["SCALE_WEIGHTS"])
    sections, known = trials.sections(order.trial), dict(trials.rows)
    entries, contents = [], {}
    for step in STEPS:
        entry = trials.recall.wanted(step, sections, known)
        key = trials.recall.key(entry)  # the same inputs make the same outputs
        for out in entry["outs"]:
            content = _content(out["path"], key, weights)
            digest = hashlib.md5(content).hexdigest()
            out |= {"md5": digest, "size": len(content)}
            contents[digest] = content
            known[out["path"]] = digest
        entries.append(entry)
    return Parcel(Result(DONE, 1.0, 1, 1), entries, contents, machines.cpu())


def _content(path: str, key: str, weights: int) -> bytes:
    if path.endswith("history.csv"):
        return HISTORY.format(int(key[:8], 16)).encode()
    drawn = hashlib.shake_128(f"{path} {key}".encode())
    return drawn.digest(weights) if path.endswith("weights.h5") else drawn.hexdigest(500).encode()


@cache
def _trials() -> Trials:
    project = Project(Path(os.environ["SCALE_PROJECT"]))
    chosen = sweeps.read(project, "linear")
    assert chosen is not None
    return Trials(project, chosen)


async def work(address: str, count: int) -> None:
    """Dask workers, all in this process."""
    from distributed import Worker

    _trials()
    workers = await asyncio.gather(*(Worker(address, nthreads=1) for _ in range(count)))
    print("ready", flush=True)
    await asyncio.gather(*(worker.finished() for worker in workers))


@contextmanager
def started(*command: str, ready: str) -> Iterator[psutil.Process]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([sys.executable, *command], **streams) as process:  # type: ignore[call-overload]
        for line in process.stdout:
            if ready in line:
                break
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def cost(process: psutil.Process) -> float:
    """Seconds of the processor so far."""
    used = process.cpu_times()
    return used.user + used.system


SWEEP = """
import os, sys
from pathlib import Path
from benchmarks import scale
from flows.engine import machines
from flows.project.folder import Project
machines.run_there = scale.stand_in
from flows.engine.sweep import sweep
sweep(Project(Path(os.environ["SCALE_PROJECT"])), "linear", on=sys.argv[1])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--weights", type=int, default=100_000, help="bytes of each trial")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        asyncio.run(work(options.work, options.workers))
        return

    with scratch() as folder:
        place = clone(folder / "clone", {})
        project = Project(place)
        timed([sys.executable, "-m", "dvc", "repro", "-q", "normalize@linear"], place)
        how = {"trials": options.trials, "round": options.workers, "seed": 0, "search": "random"}
        put(project, "linear", **how, objective="loss", halving=None, space=SPACE)
        os.environ |= dict(zip(SETTINGS, (str(place), str(options.weights)), strict=True))
        measure(project, folder, options)


def measure(project: Project, folder: Path, options: argparse.Namespace) -> None:
    root = Path(__file__).resolve().parents[1]
    scheduler = ("-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--host", "127.0.0.1")
    port = 20_000 + os.getpid() % 10_000
    address = f"tcp://127.0.0.1:{port}"
    me = (__file__, "--work", address, "--workers", str(options.workers))
    with (
        started(*scheduler, "--port", str(port), ready="Scheduler at") as dask,
        started(*me, ready="ready") as workers,
    ):
        before = cost(dask), cost(workers)
        run = timed([sys.executable, "-c", SWEEP, address], root)
        after = cost(dask), cost(workers)
        memory = dask.memory_info().rss / 2**20
    ideal = options.trials / options.workers * SECOND
    print(f"sweep: {run.seconds:.1f} s by the clock, {ideal:.0f} s of it asleep")
    print(f"  its process: {run.processor:.1f} s of the processor, {run.mib:.0f} MiB")
    print(f"  Dask's scheduler: {after[0] - before[0]:.1f} s, {memory:.0f} MiB")
    print(f"  {options.workers} workers: {after[1] - before[1]:.1f} s")
    again = timed([sys.executable, "-c", SWEEP.replace(", on=sys.argv[1]", "")], root)
    print(f"asked again: {again.seconds:.1f} s, {again.processor:.1f} s of the processor")

    shown = timed([sys.executable, "-m", "flows", "sweep", "linear"], project.root)
    print(f"by Prefect: {shown.seconds:.1f} s, {shown.processor:.1f} s of the processor")

    refs = subprocess.run(
        ["git", "for-each-ref", "refs/exps"], cwd=project.root, capture_output=True
    )
    print(f"git: {len(refs.stdout.splitlines())} refs of experiments")
    subprocess.run(
        ["dvc", "remote", "add", "-q", "-d", "shared", str(folder / "remote")],
        cwd=project.root,
        check=True,
    )
    for what in ("push", "push again"):
        begun = time.monotonic()
        print(f"{what}: {push(project)} {time.monotonic() - begun:.1f} s")
    other = Project(folder / "other")
    subprocess.run(["git", "clone", "-q", str(project.root), str(other.root)], check=True)
    subprocess.run(
        ["dvc", "remote", "add", "-q", "-d", "shared", str(folder / "remote")],
        cwd=other.root,
        check=True,
    )
    begun = time.monotonic()
    print(f"pull: {pull(other)} {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    main()
