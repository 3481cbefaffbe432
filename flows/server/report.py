"""A run's record in Prefect's server: the only module that talks to it beyond `@flow` and `@task`."""

from __future__ import annotations

import base64
import csv
import io
import json
import logging
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from prefect import Flow, tags, task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas import State, StateType
from prefect.client.schemas.filters import FlowRunFilter
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Crashed, Failed, Running

from flows.memory import repo as memory
from flows.project import params
from flows.server.process import answers, lock
from flows.server.reporter import lives
from tasks.core.step import Stopped, UserError, stopping, watchers

log = logging.getLogger("flows")

UNCHANGED = "nothing has changed"
LARGEST = 70_000  # bytes of a picture in a page, whose text is then below 100 KB
MOST_ROWS = 100  # of a check, in a page
SCORES = ("loss", "accuracy", "accuracy_without_leaked", "mae", "mse", "mse_without_leaked", "r2")  # said in one line
PICTURES = {  # of a pipeline's folder: its title
    "samples.png": "What the model sees",
    "twins.png": "Test rows that are nearly training rows",
    "model.png": "The layers",
    "learning_curve.png": "Learning curve",
    "predictions.png": "Predictions",
    "calibration.png": "Calibration",
    "mistakes.png": "The mistakes it was surest of",
}


def signed() -> tags:
    """Around the start of a flow run: it has a tag from which a later run can tell whether its process still lives."""
    return tags(_signature())


def begin() -> None:
    """At the start of a flow run: sign it if another, such as a worker, has made it; close those that were killed."""
    dead = Crashed(message="its process was killed")
    unfinished = FlowRunFilter(state={"type": {"any_": [StateType.RUNNING, StateType.PENDING]}})
    with get_client(sync_client=True) as client:
        if _signature() not in flow_run.tags:
            client.update_flow_run(UUID(flow_run.id), tags=[*flow_run.tags, _signature()])
        for run in client.read_flow_runs(flow_run_filter=unfinished):
            if str(run.id) != flow_run.id and any(map(_of_a_dead_process, run.tags)):
                for step in client.read_task_runs(flow_run_filter=FlowRunFilter(id={"any_": [run.id]})):
                    if not step.state.is_final():
                        client.set_task_run_state(step.id, dead, force=True)
                client.set_flow_run_state(run.id, dead, force=True)


def _signature() -> str:
    return f"process {os.getpid()} on {platform.node()}"


def _of_a_dead_process(tag: str) -> bool:
    number, _, machine = tag.removeprefix("process ").partition(" on ")
    if machine != platform.node() or not number.isdigit():
        return False
    # In a container the numbers begin anew with each start: this process may have got a dead one's.
    return int(number) == os.getpid() or not lives(int(number))


@contextmanager
def only_run(pipeline: str) -> Iterator[None]:
    """Around a flow run: wait until no other is at work on the pipeline in this folder.

    Raises:
        Stopped: the wait was.
    """
    file = Path("data", pipeline, ".resume", "run.lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a+", encoding="utf-8") as held:  # its lock ends with the process, however that ends
        told = False
        while not lock(held):
            if not told:
                log.info("another run is at work here (process %s): this one waits for it", file.read_text())
                told = True
            if stopping.wait(0.5):
                raise Stopped("stopped while it waited for another run")
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield


@contextmanager
def progress(pipeline: str) -> Iterator[None]:
    """Around a step: what it tells of its progress is an artifact of its task."""
    artifact, away = None, False

    def tell(done: float, text: str) -> None:
        nonlocal artifact, away
        before, away = away, not answers()
        if away:  # Prefect's client would try again for a minute, and the training wait for it
            if not before:
                log.warning("Prefect's server does not answer: the training goes on, and its progress is not shown")
            return
        try:
            if artifact is None:
                artifact = create_progress_artifact(100 * done, key=_key(pipeline, "progress"), description=text)
            else:
                update_progress_artifact(artifact, 100 * done, description=text)
        except Exception as error:  # whatever the server does to it, the training goes on
            log.warning("the progress cannot be shown in Prefect: %s", error)

    watchers.append(tell)
    try:
        yield
    finally:
        watchers.remove(tell)


def leave_if_the_server_is_away(state: State) -> None:
    """End the process here, for Prefect's client would try for minutes to tell a state to nobody."""
    if not answers():
        log.warning("Prefect's server does not answer, so this could not be told: %s %s", state.name, state.message)
        log.warning("What was done is recorded in dvc.lock.")
        sys.stdout.flush()
        os._exit(0 if state.is_completed() else 1)


def metrics(pipeline: str) -> dict:
    """What `evaluate` wrote last; nothing if it has not run yet."""
    try:
        return _read_json(Path("data", pipeline, "metrics.json"))
    except (FileNotFoundError, ValueError):
        return {}


def _read_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def verdict(pipeline: str) -> str:
    """The scores in one line, with the 95% interval of the one that has it."""
    found = metrics(pipeline)
    parts = {True: ["passed"], False: ["NOT passed"], None: []}[found.get("passed")]
    for name in (f"test_{score}" for score in SCORES):
        if name in found:
            ends = [_short(found[f"{name}_{end}"]) for end in ("low", "high") if f"{name}_{end}" in found]
            parts.append(f"{name} {_short(found[name])}" + (f" ({' to '.join(ends)})" if ends else ""))
    return ", ".join(parts)


def _classes(pipeline: str) -> str:
    """The numbers of each class as a table; nothing of a regression."""
    with open(Path("data", pipeline, "classes.csv"), encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    return f"\n\n{_table(head, rows)}" if rows else ""


def report(pipeline: str, before: dict, steps: list[tuple[str, str, str]], seconds: float, data: str) -> None:
    """The pictures and the numbers of a run, each as an artifact, and one that holds them all.

    Args:
        pipeline: a section of `params.yaml`.
        before: the metrics of the run before.
        steps: name, state and message of each step.
        seconds: that the run took.
        data: the hash that DVC has of the data.
    """
    if not answers():
        return
    table = _compared(metrics(pipeline), before) + _classes(pipeline)
    _write(pipeline, "metrics", f"Metrics of {pipeline}, and what changed since the last run", table)
    looked_at = _checks(Path("data", pipeline))
    _write(pipeline, "checks", f"What was looked at in the data of {pipeline}", looked_at)
    parts = [f"# {pipeline}", table]
    for name, title in PICTURES.items():
        picture = _picture(Path("data", pipeline, name), title)
        _write(pipeline, name.removesuffix(".png").replace("_", "-"), f"{title} ({pipeline})", picture)
        parts.append(f"## {title}\n\n{picture}")
    commit = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=40"], capture_output=True, text=True)
    origin = {"data (DVC's hash of raw.npz)": data, "commit": commit.stdout.strip(), "duration": f"{seconds:.0f} s"}
    chosen = params.read(pipeline).model_dump()
    settings = [(f"{name}.{key}", value) for name, section in chosen.items() for key, value in section.items()]
    parts += [
        f"## Checks of the data\n\n{looked_at}",
        "## Where it comes from\n\n" + _table(("", ""), origin.items()),
        "## Steps\n\n" + _table(("step", "state", ""), steps),
        "## Parameters\n\n" + _table(("parameter", "value"), settings),
    ]
    _write(pipeline, "report", f"All about this run of {pipeline}", "\n\n".join(parts))


def _write(pipeline: str, name: str, title: str, markdown: str) -> None:
    create_markdown_artifact(markdown, key=_key(pipeline, name), description=title)


def _key(pipeline: str, name: str) -> str:
    return f"{pipeline}-{name}".lower().replace("_", "-")


def _picture(path: Path, title: str) -> str:
    """For a page: photographs as JPEG, as large PNG files would slow it."""
    content, kind = path.read_bytes(), "png"
    for quality in (85, 60, 35, 10):
        if len(content) <= LARGEST:
            break
        from PIL import Image  # here: few pictures need it

        smaller, kind = io.BytesIO(), "jpeg"
        Image.open(path).convert("RGB").save(smaller, format="jpeg", quality=quality)
        content = smaller.getvalue()
    return f"![{title}](data:image/{kind};base64,{base64.b64encode(content).decode()})"


def _checks(folder: Path) -> str:
    """What normalize and visualize looked at: what they say of it, warnings first, then the rows that they name."""
    found = [*_read_json(folder / "checks.json"), _read_json(folder / "twins.json")]
    found.sort(key=lambda each: each["result"] != "warning")
    parts = [_table(("check", "result", "found"), ((each["check"], each["result"], each["says"]) for each in found))]
    for each in found:
        if each.get("rows"):
            rows = [[_short(value) for value in row.values()] for row in each["rows"][:MOST_ROWS]]
            more = f"\n\nThe first {MOST_ROWS}; more are in checks.json." if len(each["rows"]) > MOST_ROWS else ""
            parts.append(f"**{each['check']}**\n\n{_table(each['rows'][0], rows)}{more}")
    return "\n\n".join(parts)


def _compared(now: dict, before: dict) -> str:
    rows = []
    for name, value in _flat(now).items():
        old = _flat(before).get(name)
        number = isinstance(value, float | int) and not isinstance(value, bool)
        difference = f"{value - old:+.4g}" if number and isinstance(old, float | int) else ""
        rows.append((name, _short(value), _short(old), difference))
    return _table(("metric", "this run", "last run", "difference"), rows)


def _flat(numbers: dict) -> dict:
    """The answers of `predict` one by one."""
    points = {f"y at x = {x}": y for x, y in numbers.get("predict", {}).items()}
    return {name: value for name, value in numbers.items() if name != "predict"} | points


def _short(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(head, rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


class DvcRun:
    """The record of a `dvc repro`: a run of the flow that Prefect did not start, with its steps.

    Args:
        flow: the flow that it is a run of.
        pipeline: a section of `params.yaml`.
    """

    def __init__(self, flow: Flow, pipeline: str) -> None:
        self.pipeline, self.states, self.ids = pipeline, {}, {}
        self.client = get_client(sync_client=True)
        about = {"name": f"{pipeline} (dvc repro)", "parameters": {"pipeline": pipeline}}
        found = self.client.create_flow_run(flow, state=Running(), tags=["dvc repro", _signature()], **about)
        self.run = found.id

    def step(self, name: str, state: str, message: str) -> None:
        """Note that a step has begun (`Running`) or ended."""
        types = {
            "Running": Running,
            "Completed": Completed,
            "Cached": Completed,
            "Failed": Failed,
            "Cancelled": Cancelled,
        }
        self.states[name] = types[state](name=state, message=message)
        if name not in self.ids:
            step = task(lambda: None, name=name)  # only its name is used
            self.ids[name] = self.client.create_task_run(step, self.run, name, name=name, state=Running()).id
        self.client.set_task_run_state(self.ids[name], self.states[name], force=True)

    def end(self) -> None:
        """Note how the run has ended, as its steps tell; a step that has not ended was killed."""
        with suppress(UserError):  # another run may be at work by now, and must not wait for this
            for planned in memory.plan(self.pipeline, locked=False):
                if planned.action == memory.UNCHANGED and planned.step not in self.states:
                    self.step(planned.step, "Cached", UNCHANGED)
        for name, state in self.states.items():
            if state.is_running():
                self.states[name] = Crashed(message="dvc repro was killed")
                self.client.set_task_run_state(self.ids[name], self.states[name], force=True)
        bad = [(name, state) for name, state in self.states.items() if not state.is_completed()]
        message = f"{bad[0][0]}: {bad[0][1].message}" if bad else verdict(self.pipeline)
        kind = StateType(bad[0][1].type) if bad else StateType.COMPLETED
        self.client.set_flow_run_state(self.run, State(type=kind, message=message), force=True)
