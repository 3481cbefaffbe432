"""One step alone: what a stage of `dvc.yaml` starts.

python3 -m flows.stage fit fashion
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from flows.engine.limits import check_limits
from flows.engine.processes import alone
from flows.engine.step import run_in_turn, stop_on_signals
from flows.engine.witness import leave
from flows.project.folder import Project
from flows.server.outbox import stop_with_dvc, tell
from tasks.core.step import Stopped, TimedOut, UserError


def main(step: str, pipeline: str) -> int:
    """Run a step: lines on the terminal, an exit code; on failure the old outputs are put back."""
    logging.basicConfig(level=logging.INFO, format="  %(message)s", stream=sys.stdout)
    project = Project.here()
    stop_on_signals()
    stop_with_dvc()
    tell(project, pipeline, step, "Running")

    try:
        with alone(project, pipeline, step), _else_put_back(project, f"{step}@{pipeline}"):
            check_limits()
            said, used = run_in_turn(project, step, pipeline)
            leave(project, f"{step}@{pipeline}", used)
        print(f"  {said}")
        tell(project, pipeline, step, "Completed", said)
        return 0
    except (UserError, OSError) as error:  # a full disk may stop a step before it begins
        print(f"{step}: {error}", file=sys.stderr)
        tell(project, pipeline, step, "Failed", str(error))
    except Stopped as stopped:
        print(f"{step}: {stopped}. The same command resumes from there.", file=sys.stderr)
        ended = "TimedOut" if isinstance(stopped, TimedOut) else "Cancelled"
        tell(project, pipeline, step, ended, str(stopped))
    return 1


@contextmanager
def _else_put_back(project: Project, address: str) -> Iterator[None]:
    """Whatever happens, a bug too: a step that did not get through costs no outputs of before."""
    try:
        yield
    except BaseException:
        from flows.memory.outputs import put_back  # here: DVC takes half a second to import

        put_back(project, address)
        raise


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
