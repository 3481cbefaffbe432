"""Write a trained model for other programs, with its scaling inside, and prove its answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import plain_errors, say
from flows.engine.step import folder_of
from flows.predict import check_trained
from flows.project import artifacts, edit, textfile
from flows.project.folder import Project
from tasks.core.step import UserError
from tasks.release import export as stage
from tasks.release.card import Params as Card

GATE = {"level": 0.05, "margin": 0, "must": "better"}  # of a pipeline that says no other
CHOICES = get_args(stage.Params.model_fields["format"].annotation)
EXAMPLE = """\
examples:
  python -m flows export fashion                  data/fashion/export/model.tflite
  python -m flows export fashion --format onnx
  python -m flows export fashion --check smaller.tflite

The exported model gets its name when a process without TensorFlow has asked it about every test
row, and the answers are those of the trained model. params.yaml remembers the format, under
`release:`, so that `dvc repro release/dvc.yaml:export@fashion` does the same."""


def main(arguments: list[str]) -> int:
    parser = command_line("export", __doc__, EXAMPLE)
    parser.add_argument("pipeline", help="a trained one, such as fashion")
    parser.add_argument("--format", choices=CHOICES, help="litert, unless params.yaml has another")
    parser.add_argument(
        "--check", metavar="FILE", type=Path, help="an exported model that was changed: prove it"
    )
    options = parser.parse_args(arguments)

    project = Project.here()
    with plain_errors() as end:
        if options.check:
            end.code = check(project, options.pipeline, options.check)
        else:
            export(project, options.pipeline, options.format)
    return end.code


def export(project: Project, pipeline: str, format: str | None) -> None:
    """Bring the export of a pipeline up to date, and its card; say what there is.

    Args:
        project: this one.
        pipeline: its name in `params.yaml`, which gets an entry under `release:`.
        format: None for that of params.yaml, or else LiteRT.

    Raises:
        UserError: the pipeline is not up to date, or cannot be exported. Nothing has changed.
    """
    from flows.engine import release  # here: DVC takes half a second to import

    project.read(pipeline)
    first = pipeline not in project.releases()
    with Console(stderr=True).status("exporting"):
        release.check_current(project, pipeline)
        with _entry(project, pipeline, format):
            outcome, said = release.bring_up_to_date(project, "export", pipeline)
        card = project.release(pipeline).card is not None
        if card:
            release.bring_up_to_date(project, "card", pipeline)
    artifacts.add(project, pipeline)
    words = {"unchanged": "nothing has changed: ", "restored": "restored from DVC's cache: "}
    say(Text(words.get(outcome, "") + (said or there(project, pipeline))))
    if card:
        say(Text(f"card: data/{pipeline}/card.md"))
    if first:
        say(Text(f"params.yaml has a new entry for it, release.{pipeline}: fill in the card there"))


@contextmanager
def _entry(project: Project, pipeline: str, format: str | None) -> Iterator[None]:
    """The entry in params.yaml; one that is new stays if the export succeeds."""
    first = pipeline not in project.releases()
    if format is None and not first:
        yield
        return

    texts: list[str] = []

    def after(text: str) -> str:
        other = edit.with_release(text, pipeline, "export", {"format": format or CHOICES[0]})
        if first:
            other = edit.with_release(other, pipeline, "card", dict.fromkeys(Card.model_fields, ""))
            other = edit.with_release(other, pipeline, "promote", GATE)
        texts.extend([text, other])
        return other

    textfile.change(project.params_file, after)
    try:
        yield
    except BaseException:
        # If somebody else has edited it since, it stays.
        textfile.change(project.params_file, lambda text: texts[0] if text == texts[1] else text)
        raise


def there(project: Project, pipeline: str) -> str:
    """What is known of the export of a pipeline, in one line."""
    folder = folder_of(project, pipeline)
    return stage.in_words(folder, folder.read_json(stage.PROOF))


def check(project: Project, pipeline: str, file: Path) -> int:
    """Prove an exported model that somebody has changed; nothing is written.

    Returns:
        The exit code: 0 if every answer is that of predictions.csv, else 1.
    """
    from tasks.exports import FORMATS, format_of

    check_trained(project, pipeline)
    if not file.exists():
        raise UserError(f"There is no {file}. Expected an exported model, such as model.tflite.")
    format = format_of(file)
    if format is None:
        names = ", ".join(module.NAME for module in FORMATS.values())
        raise UserError(f"{file} is not an exported model: expected a file or folder like {names}.")

    folder = folder_of(project, pipeline)
    for name in stage.COMPARED:
        folder.read(name)
    with Console(stderr=True).status("asking it about the test rows"):
        found = stage.proved(folder, format, file.absolute())
    say(Text(f"{file}: {stage.counted(folder, found)}"))
    if found["worst"]:
        say(Text(f"for example {found['worst']}"))
    return 1 if found["differ"] else 0
