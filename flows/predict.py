"""A trained model's answers to new rows: for the command `predict`, and for Python.

from flows.predict import predict
answers = predict("fashion", "photos")
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.engine.environment import pin
from flows.engine.step import folder_of
from flows.memory.lock import as_recorded, edited, outdated, stages
from flows.project.folder import Project
from tasks.core.folder import Damaged, Folder
from tasks.core.step import UserError, log
from tasks.sources import dates
from tasks.sources.base import New, some
from tasks.sources.place import Place

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from tasks.answers.summary import Part
    from tasks.drift.watch import Watch

DATES = ("date", "datetime", "datetime64")  # what pandas calls a column of them


def predict(
    pipeline: str,
    data: str | Path | pd.DataFrame | list[dict[str, Any]] | np.ndarray,
    project: Project | None = None,
    exported: bool = False,
) -> pd.DataFrame:
    """The answers to all rows of some data.

    Args:
        pipeline: its name in `params.yaml`; it must have been trained.
        data: a file or a folder of the kind that the pipeline was trained on, or one image; of a
            table also a data frame with its columns, or a list of rows, each a dictionary; of
            images or NumPy files an array of rows.
        project: this one, unless told otherwise.
        exported: whether the exported model is asked, which needs no TensorFlow. Its answers are
            those of the trained model but for the last digits.

    Returns:
        A row for each row of the data: `from`, `predicted`; for classes `confidence` and the
        second and third choice; `actual`, if the data has labels.

    Raises:
        UserError: there is no model, or the data are no rows for it.
    """
    import pandas as pd  # here: it takes a second to import

    project = project or Project.here()
    with _in_a_file(data, project.data(pipeline)) as place:
        parts = answers(project, pipeline, place, exported=exported)
        return pd.concat([part.told for part in parts], ignore_index=True)


@contextmanager
def _in_a_file(data: Any, model: Path) -> Iterator[Place]:
    """The data; rows in memory as a file, so that one reader reads them all.

    Args:
        model: the pipeline's folder.
    """
    if isinstance(data, str | Path):
        yield place_of(Path(data))
        return

    import numpy as np
    import pandas as pd

    columns = _columns(model)
    if isinstance(data, np.ndarray) and columns:
        raise UserError(
            "The data are an array, and the model was trained on a table. Expected a data frame, "
            f"or a list of dictionaries, with {some([each['name'] for each in columns])}."
        )
    if isinstance(data, list) and data and all(isinstance(row, dict) for row in data):
        data = pd.DataFrame(data, dtype=object)  # a number stays whole beside a missing one

    with tempfile.TemporaryDirectory() as folder:
        if isinstance(data, pd.DataFrame):
            file = Path(folder, "rows.parquet")
            try:
                _with_dates(data, columns).to_parquet(file, index=False)
            except (ValueError, TypeError, NotImplementedError) as error:  # of mixed columns, too
                raise UserError(f"The data frame cannot be read: {error}") from None
        elif isinstance(data, np.ndarray):
            file = Path(folder, "rows.npz")
            np.savez(file, x=data)
        else:
            raise UserError(
                f"The data are a {type(data).__name__}. Expected a path, a data frame, a list of "
                "dictionaries or an array."
            )
        yield Place(file, "the data")


def _columns(model: Path) -> list[dict[str, Any]]:
    """Of a table that the model was trained on; none of other data."""
    with suppress(OSError, ValueError):  # which is said when the model is asked
        return json.loads((model / "schema.json").read_bytes()).get("columns", [])
    return []


def _with_dates(frame: pd.DataFrame, columns: list[dict[str, Any]]) -> pd.DataFrame:
    """A data frame whose dates are written as in the training rows, if those had a format."""
    import pandas as pd

    written = {}
    for column in columns:
        name, form = column["name"], column["kind"].removeprefix("date").strip()
        is_date = form != column["kind"] and form and name in frame
        if is_date and pd.api.types.infer_dtype(frame[name]) in DATES:
            as_trained = partial(dates.written, form=form)
            written[name] = pd.to_datetime(frame[name]).map(as_trained, "ignore")
    return frame.assign(**written)


def place_of(data: Path) -> Place:
    """Some data, which messages call as a person does."""
    return Place(data.absolute(), data.as_posix())


Ask = Callable[["np.ndarray"], "np.ndarray"]  # from rows to the outputs of the model


def answers(
    project: Project,
    pipeline: str,
    place: Place,
    watch: Watch | None = None,
    exported: bool = False,
) -> Iterator[Part]:
    """The same, some rows at a time, in memory that does not grow with the data.

    Args:
        watch: compares the rows with the validation rows; this function warns of what differs.
    """
    chosen = project.read(pipeline)
    folder = folder_of(project, pipeline)
    _check_model(project, pipeline, exported)
    _check_data(place)
    if place.path.resolve() == (project.root / chosen.load.path).resolve():
        log.warning(
            "%s was trained on rows of %s: answers to them say little about new rows. The score of "
            "the test rows is in data/%s/metrics.json",
            *(pipeline, place, pipeline),
        )

    from tasks.answers import reading, telling  # here: pandas takes a second to import
    from tasks.answers.summary import Part
    from tasks.drift.watch import Watch

    with _damage_dropped(project, pipeline):
        schema = folder.read_json("schema.json")
        rows = reading.read(place, schema, folder, scale=not exported)
        first = next(rows)  # what is wrong with the data is said at once
        ask = _exported(folder, chosen) if exported else _trained(folder, chosen)
        watch = watch or Watch()
        watch.begin(folder, schema, scales=exported)

    for x, part, output in _asked(ask, chain([first], rows)):
        watch.add(x, output)
        yield Part(telling.told(output, part, schema), part)
    watch.end()


def _check_model(project: Project, pipeline: str, exported: bool) -> None:
    """Refuse a model that cannot answer, and warn of one that is not that of params.yaml."""
    check_trained(project, pipeline)
    if exported and not is_exported(project, pipeline):
        raise UserError(
            f"{pipeline} has no exported model that is up to date. Run "
            f"`python -m flows export {pipeline}`."
        )
    if changed := edited(project, pipeline):
        log.warning("the model that answers was trained before %s", "; ".join(changed))


def _check_data(place: Place) -> None:
    if not place.path.exists():
        raise UserError(f"There is no {place}. Expected a file or a folder with new rows.")
    if not (place.path.is_file() or place.path.is_dir()):
        raise UserError(f"{place} can be read only once. Save the rows in a file.")
    if place.path.is_file() and not place.path.stat().st_size:
        raise UserError(f"{place} is empty. Expected new rows.")


@contextmanager
def _damage_dropped(project: Project, pipeline: str) -> Iterator[None]:
    """Take away a damaged file of the model, so that the next run makes it anew."""
    try:
        yield
    except Damaged as damaged:
        from flows.memory.outputs import drop  # here: DVC takes half a second to import

        drop(project, damaged.path)
        raise UserError(f"{damaged} Run `python -m flows train {pipeline}`.") from None


def _trained(folder: Folder, chosen: Any) -> Ask:
    pin("evaluate", chosen)
    from tasks.scores import asking  # here: TensorFlow takes seconds to import

    return asking.asker(asking.load(folder))


def _exported(folder: Folder, chosen: Any) -> Ask:
    from tasks.exports import FORMATS
    from tasks.release import export

    module = FORMATS[folder.read_json(export.PROOF)["format"]]
    return module.open(folder.path / export.FOLDER / module.NAME, chosen.fit.threads).ask


def _asked(ask: Ask, rows: Iterator[tuple[Any, New]]) -> Iterator[tuple[Any, New, Any]]:
    """Rows with the model's outputs: it computes while the rows after them are read.

    Whoever takes them has the time that the model takes for the next ones, too.
    """
    with ThreadPoolExecutor(max_workers=1) as model:
        before: list[tuple[Any, New, Future]] = []
        for x, part in rows:
            before.append((x, part, model.submit(ask, x)))
            if len(before) > 1:
                yield _with_output(before.pop(0))
        yield from map(_with_output, before)


def _with_output(asked: tuple[Any, New, Future]) -> tuple[Any, New, Any]:
    x, part, future = asked
    return x, part, future.result()


def check_trained(project: Project, pipeline: str) -> None:
    """Refuse a model that was not trained, or that belongs to other rows than schema.json."""
    file = project.data(pipeline) / "model.keras"
    if f"evaluate@{pipeline}" not in stages(project) or not file.is_file():
        raise UserError(
            f"{pipeline} has no trained model here. Run `python -m flows train {pipeline}`, or "
            f"`dvc pull -d evaluate@{pipeline}` if a colleague has shared it."
        )

    if newer := outdated(project, f"evaluate@{pipeline}"):
        raise UserError(
            f"{newer[0]} is newer than the rest of {pipeline}: a run was not finished. Run "
            f"`python -m flows train {pipeline}`."
        )


def is_exported(project: Project, pipeline: str) -> bool:
    """Whether the exported model is there as it was proved, and that of the model of now."""
    address = f"export@{pipeline}"
    return not outdated(project, address) and as_recorded(project, address)
