"""One step alone: what a stage of `dvc.yaml` starts.

python3 -m flows.stage fit fashion
"""

from __future__ import annotations

import logging
import sys

from flows.engine.step import run, stop_on_signals
from flows.engine.witness import leave
from flows.project.folder import Project
from flows.server.outbox import stop_with_dvc, tell
from tasks.core.step import Stopped, TimedOut, UserError


def main(step: str, pipeline: str) -> int:
    """Run a step: lines on the terminal, an exit code; on failure the old outputs are put back."""
    logging.basicConfig(level=logging.INFO, format="  %(message)s", stream=sys.stdout)
    project, done = Project.here(), False
    stop_on_signals()
    stop_with_dvc()
    tell(project, pipeline, step, "Running")

    try:
        said, used = run(project, step, pipeline)
        leave(project, f"{step}@{pipeline}", used)
        print(f"  {said}")
        tell(project, pipeline, step, "Completed", said)
        done = True
    except UserError as error:
        print(f"{step}: {error}", file=sys.stderr)
        tell(project, pipeline, step, "Failed", str(error))
    except Stopped as stopped:
        print(f"{step}: {stopped}. The same command resumes from there.", file=sys.stderr)
        ended = "TimedOut" if isinstance(stopped, TimedOut) else "Cancelled"
        tell(project, pipeline, step, ended, str(stopped))
    finally:  # after a bug, too
        if not done:
            from flows.memory.outputs import put_back  # here: DVC takes half a second to import

            put_back(project, f"{step}@{pipeline}")
    return int(not done)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
