"""A `dvc repro` in the terminal: its steps stop when it is killed, and Prefect's UI shows it as a run with its steps.

The second only if PREFECT_API_URL names a server. DVC starts a process for each step and tells nobody when it begins
and ends. So each step leaves a line, and a process of its own, which the first step starts, tells the server; it ends
when DVC's does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from flows.project.params import ROOT
from flows.server import process as server
from tasks.core.step import stopping


def stop_with_dvc() -> None:
    """Let this step stop when `dvc repro` is killed: nobody waits for its result any more.

    A signal of the kernel would not do: between the two there may be a shell, which lives on.
    """
    dvc = _dvc()
    if dvc is None:
        return

    def watch() -> None:
        while lives(dvc.pid):
            time.sleep(0.3)
        stopping.set()

    threading.Thread(target=watch, daemon=True).start()


def tell(pipeline: str, step: str, state: str, message: str = "") -> None:
    """Leave a line for the server, and see to it that someone reads them."""
    if not os.environ.get("PREFECT_API_URL"):
        return
    dvc = _dvc()
    if dvc is None:  # it was killed, and its run is closed already
        return
    file = Path(".dvc", "tmp", f"repro-{dvc.pid}-{dvc.create_time():.0f}.jsonl")
    if not file.exists():
        file.touch()
        url = os.environ["PREFECT_API_URL"]
        if not server.answers(url):
            print(f"  PREFECT_API_URL={url} does not answer: this run is not shown there", file=sys.stderr)
        command = [sys.executable, "-m", "flows.server.reporter", str(dvc.pid), str(file)]
        with open(file.with_name("repro.log"), "w") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            subprocess.Popen(command, start_new_session=True, **streams)
    line = json.dumps({"pipeline": pipeline, "step": step, "state": state, "message": message})
    with open(file, "a", encoding="utf-8") as lines:
        lines.write(line + "\n")


def _dvc() -> psutil.Process | None:
    """The process of the `dvc` command that this one works for."""
    return next(filter(_is_dvc, psutil.Process().parents()), None)


def _is_dvc(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return any(Path(part).name == "dvc" for part in process.cmdline()[:3])
    return False


def lives(process: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    return False


def main(dvc: int, file: Path) -> None:
    """Tell the server what the steps have left in the file, until the process `dvc` has ended."""
    server.configure()
    from flows.pipeline import run_pipeline
    from flows.server import report as records

    runs: dict[str, records.DvcRun] = {}
    try:
        with open(file, encoding="utf-8") as lines:
            while True:
                running = lives(dvc)
                for line in lines.readlines():
                    said = json.loads(line)
                    if said["pipeline"] not in runs:
                        runs[said["pipeline"]] = records.DvcRun(run_pipeline, said["pipeline"])
                    runs[said["pipeline"]].step(said["step"], said["state"], said["message"])
                if not running:
                    break
                time.sleep(0.3)
        for run in runs.values():
            run.end()
    finally:
        file.unlink()


if __name__ == "__main__":
    os.chdir(ROOT)
    main(int(sys.argv[1]), Path(sys.argv[2]))
