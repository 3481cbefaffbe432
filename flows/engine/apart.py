"""Steps in a process of their own, which keeps TensorFlow imported and runs one after the other.

The process reads a request from its standard input, a line of JSON, and answers with one. When the
input ends, as it does when the other process was killed, a step stops where it can resume.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import select
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil

from flows.engine.step import Outside, ShortOfMemory, run, stop_on_signals
from flows.memory.lock import Used
from flows.project.folder import Project
from tasks.core.step import Stopped, TimedOut, UserError, stopping

KINDS = {each.__name__: each for each in (UserError, Outside, ShortOfMemory, Stopped, TimedOut)}
Answer = dict[str, Any]
LARGE = 3 * 2**30  # bytes of memory; after each training of `fashion` it is 30 MB more


class Died(Exception):
    """The process ended before it had answered."""


class Apart:
    """One such process. It is started by the first request, and again after it was killed.

    Args:
        log: a file for what the steps say.
        held: a file whose lock lasts until the process has ended; None: there is none.
    """

    def __init__(self, log: Path, held: IO | None) -> None:
        self.log, self.held = log, held
        self.process: subprocess.Popen | None = None
        self.stopped = False  # whether the trial was asked to stop
        self.told = False  # whether the process was: it takes no other trial, now or in a moment

    def run(self, project: Project, step: str, pipeline: str) -> Used:
        """Run a step there, as `flows.engine.step.run` does here.

        Raises:
            UserError, Outside, Stopped: as there.
            Died: the process was killed.
        """
        if self.told or self._is_large():
            self.close()
        if self.process is None or self.process.poll() is not None:
            self.process, self.told = self._started(), False
        request = {"root": str(project.root), "step": step, "pipeline": pipeline}
        answer = self._asked(self.process, request)
        if kind := answer.get("error"):
            raise KINDS[kind](answer["says"])
        return Used(answer["sections"], {Path(k): v for k, v in answer["files"].items()})

    def _is_large(self) -> bool:
        """Whether it is to begin anew: TensorFlow keeps the graphs of a training that is over."""
        with suppress(psutil.NoSuchProcess):
            size = self.process and psutil.Process(self.process.pid).memory_info().rss
            return (size or 0) > LARGE
        return False

    def _started(self) -> subprocess.Popen:
        with open(self.log, "a", encoding="utf-8") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "flows.engine.apart"],
                cwd=Project.here().root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for this process, which passes it on
                pass_fds=[self.held.fileno()] if self.held else [],
            )

    def _asked(self, process: subprocess.Popen, request: dict[str, str]) -> Answer:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):  # then it does not answer either
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()

        told = False
        while not select.select([process.stdout], [], [], 0.1)[0]:
            if not told and (stopping.is_set() or self.stopped):  # perhaps before it was there
                self.stop()
                told = True
        line = process.stdout.readline()
        if not line.endswith("\n"):
            raise Died(f"exit code {process.wait()}")
        return json.loads(line)

    def stop(self) -> None:
        """Let a step that runs there stop where it can resume."""
        self.stopped = True
        if self.process and self.process.poll() is None:
            self.told = True
            self.process.terminate()

    def close(self) -> None:
        """Let the process end; at most it finishes a block of batches."""
        if self.process and self.process.poll() is None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait()


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever is printed goes to the log
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    stop_on_signals()
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()

    while line := requests.get():
        answer = _answer(**json.loads(line))
        with suppress(BrokenPipeError):
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
        if stopping.is_set():
            break


def _read(requests: queue.Queue[str]) -> None:
    for line in sys.stdin:
        requests.put(line)
    stopping.set()
    requests.put("")


def _answer(root: str, step: str, pipeline: str) -> Answer:
    started = time.monotonic()
    try:
        said, used = run(Project(Path(root)), step, pipeline)
    except (UserError, Stopped) as error:
        kind = next(each for each in type(error).__mro__ if each.__name__ in KINDS)
        return {"error": kind.__name__, "says": str(error)}
    seconds = time.monotonic() - started
    print(f"{step} {Path(root).name} {seconds:.2f} s {said}", file=sys.stderr, flush=True)
    return {"sections": used.sections, "files": {str(k): v for k, v in used.files.items()}}


if __name__ == "__main__":
    main()
