"""A trained model's answers to new rows: for the command `predict`, and for Python.

from flows.predict import predict
answers = predict("fashion", "photos")
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flows.engine.environment import pin
from flows.engine.step import folder_of
from flows.memory.lock import stages
from flows.project.folder import Project
from tasks.core.folder import Damaged
from tasks.core.step import UserError, log
from tasks.sources.base import Place

if TYPE_CHECKING:
    import pandas as pd


def predict(pipeline: str, data: str | Path, project: Project | None = None) -> pd.DataFrame:
    """The answers to all rows of some data.

    Args:
        pipeline: its name in `params.yaml`; it must have been trained.
        data: a file or a folder of the kind that the pipeline was trained on, or one image.
        project: this one, unless told otherwise.

    Returns:
        A row for each row of the data: `from`, `predicted`; for classes `confidence` and the
        second and third choice; `actual`, if the data has labels.

    Raises:
        UserError: there is no model, or the data are no rows for it.
    """
    import pandas as pd  # here: it takes a second to import

    return pd.concat(answers(project or Project.here(), pipeline, Path(data)), ignore_index=True)


def answers(
    project: Project, pipeline: str, data: Path, to: Path | None = None
) -> Iterator[pd.DataFrame]:
    """The same, some rows at a time, in memory that does not grow with the data.

    Args:
        to: the file that the answers go to, if they go to one: how the rows differ from the
            validation rows is written beside it.
    """
    chosen = project.read(pipeline)
    folder = folder_of(project, pipeline)
    check_trained(project, pipeline)
    place = Place(data.absolute(), data.as_posix())
    if not place.path.exists():
        raise UserError(f"There is no {place}. Expected a file or a folder with new rows.")

    pin("evaluate", chosen)
    from tasks.answers import asking, reading, telling  # here: TensorFlow takes seconds to import
    from tasks.drift.watch import Watch

    try:
        schema = folder.read_json("schema.json")
        rows = reading.read(place, schema, folder)
        first = next(rows)  # what is wrong with the data is said at once
        model = asking.load(folder)
    except Damaged as damaged:
        raise UserError(f"{damaged} Run `python -m flows train {pipeline}`.") from None

    watch = Watch(folder, schema, partial(asking.ask, model))
    for x, part in _all(first, rows):
        output = asking.ask(model, x)
        watch.add(x, output)
        yield telling.told(output, part, schema)
    watch.end()
    if to:
        watch.write(to)
        if watch.unable:
            log.warning("drift was not looked for: %s", watch.unable)


def _all(first, rest):
    yield first
    yield from rest


def check_trained(project: Project, pipeline: str) -> None:
    """Refuse a model that was not trained, or that belongs to other rows than schema.json."""
    recorded = stages(project)
    file = project.data(pipeline) / "model.keras"
    judged = recorded.get(f"evaluate@{pipeline}")
    if judged is None or not file.is_file():
        raise UserError(
            f"{pipeline} has no trained model here. Run `python -m flows train {pipeline}`, or "
            f"`dvc pull evaluate@{pipeline}` if a colleague has shared it."
        )

    made = {
        out["path"]: out["md5"]
        for step in ("normalize", "reload_best")
        for out in recorded.get(f"{step}@{pipeline}", {}).get("outs", [])
    }
    for dep in judged["deps"]:
        if dep["path"] in made and dep["md5"] != made[dep["path"]]:
            raise UserError(
                f"{dep['path']} is newer than the rest of {pipeline}: a run was not finished. "
                f"Run `python -m flows train {pipeline}`."
            )
