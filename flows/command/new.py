"""A new pipeline on your own data: a section in params.yaml, its name in dvc.yaml, its deployments in prefect.yaml.

python flows/new.py digits path/to/data
python flows/new.py digits --remove
"""

import argparse
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(
    0, str(Path(__file__).resolve().parents[2])
)  # so that this file can be started from anywhere

from ruamel.yaml import YAML, YAMLError

from flows.guess.section import Guess, guess
from flows.project.params import FILE, ROOT
from tasks.core.step import UserError

GRAPH = "dvc.yaml"
OFFERED = "prefect.yaml"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
RESERVED = ("item", "key", "pipelines")  # DVC's own words in dvc.yaml

SECTION = """\
{name}: # {about}
  load:
{load}
  normalize:
    scale: {scale}
    validation: {validation} # to choose the checkpoint on: a share of the training rows, so many of them, or given
    seed: 0 # which rows are held out
  visualize:
    near: 0.014 # a test row that differs so little from a training row is listed as its twin; null does not look
  build:
{build}
    activation: relu
    batch_norm: {batch_norm} # true normalizes before each activation
    dropout: {dropout} # share of each layer's outputs that training leaves out: helps against learning by heart
    output_units: auto # `auto` follows from the labels: {output}
    output_activation: auto
    dtype_policy: float32
  compile:
    optimizer: adam
    learning_rate: {learning_rate}
    loss: auto # follows from the labels
  fit:
    epochs: {epochs}
    batch_size: {batch_size}
    schedule: {schedule} # of the learning rate: constant, cosine or one_cycle
    patience: null # stop after so many epochs without a lower `monitor`; null trains them all
    class_weights: null # balanced: rows of a rare class count more, so that all count the same; or a list of numbers
    flip: false # for images: turn them left to right, each of them or not, anew in every epoch
    shift: 0 # for images: move them by at most so many pixels
    monitor: val_loss # the epoch where it is lowest becomes the checkpoint
    seed: 0 # first weights, order of the rows, every other draw
    jit_compile: false # XLA: pays for Dense layers where an epoch takes long; on a CPU it is slow at convolutions
    steps_per_execution: auto
    save_every: 30 # seconds between two saved states: at most this much work is lost to a crash
    keep_state: false
  evaluate:
    min_accuracy: null # what the model must reach on the test rows to pass; null asks for nothing
    max_mse: null # the same for regression
    predict: null
  timeouts: {{}}
"""

DEPLOYMENTS = """\
  - name: "{name}"
    description: {about}, as params.yaml has it. Nothing runs that has not changed.
    entrypoint: flows/pipeline.py:run_pipeline
    parameters: {{pipeline: "{name}"}}
    work_pool: *pool
    concurrency_limit: *one_at_a_time

  - name: "{name}-experiment"
    description: {about}, with other parameters. Each run becomes a DVC experiment.
    entrypoint: flows/pipeline.py:run_pipeline
    parameters: {{pipeline: "{name}"}}
    work_pool: *pool
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the pipeline: small letters, digits, - and _")
    parser.add_argument(
        "data",
        nargs="?",
        help="an .npz or .csv file, or a folder of IDX files, images or CSV files",
    )
    parser.add_argument("--target", metavar="COLUMN", help="of a table: the column to predict")
    parser.add_argument(
        "--task",
        choices=("classes", "regression"),
        help="of a table or an .npz file: what to predict",
    )
    parser.add_argument(
        "--remove", action="store_true", help="take the pipeline out of the files again"
    )
    options = parser.parse_args()
    if bool(options.data) == options.remove:
        parser.error("expected either the place of the data or --remove")
    data = Path(options.data or ".").expanduser().resolve()
    os.chdir(ROOT)
    try:
        params, graph, offered = (
            Path(file).read_text(encoding="utf-8") for file in (FILE, GRAPH, OFFERED)
        )
        if options.remove:
            write(without(options.name, params, graph, offered))
            print(
                f"{options.name} is no pipeline any more. What it made stays in data/{options.name}."
            )
            return 0
        check(options.name, data, YAML(typ="safe").load(params), graph)
        chosen = {key: value for key in ("target", "task") if (value := getattr(options, key))}
        found = guess(data.relative_to(ROOT) if data.is_relative_to(ROOT) else data, **chosen)
        write({
            FILE: with_section(params, options.name, found),
            GRAPH: with_name(graph, options.name, found.classes),
            OFFERED: f"{offered.rstrip()}\n\n{DEPLOYMENTS.format(name=options.name, about=found.about)}",
        })  # fmt: skip
    except UserError as error:
        print(f"error {error}", file=sys.stderr)
        return 1
    print(
        f"{options.name}: {found.about}. Its section is the last one of {FILE}; what to look at there:"
    )
    print("\n".join(f"  - {note}" for note in found.notes))
    print(
        f"python flows/train.py {options.name} --plan    # what would run\npython flows/train.py {options.name}"
    )
    return 0


def write(texts: dict[str, str]) -> None:
    """Each file as a whole, after all of them are on disk."""
    for file, text in texts.items():
        Path(f"{file}.part").write_text(text, encoding="utf-8", newline="\n")
    for file in texts:
        os.replace(f"{file}.part", file)


def check(name: str, data: Path, content: dict, graph: str) -> None:
    """Refuse a name that is taken or cannot be one, and data that the pipeline would write into."""
    if not NAME.fullmatch(name) or name in RESERVED or YAML(typ="safe").load(name) != name:
        raise UserError(
            f"`{name}` cannot be a pipeline's name. Expected a small letter, then at most 39 small letters, digits, - "
            f"and _, none of {', '.join(RESERVED)}, and nothing that YAML reads as another value. Take another."
        )
    for file, there in (
        (FILE, content),
        (GRAPH, YAML(typ="safe").load(graph)["stages"]["load"]["foreach"]),
    ):
        if name in there:
            again = f"`python flows/new.py {name} --remove` takes it out"
            raise UserError(
                f"{file} has a pipeline `{name}` already. Take another name; or {again}."
            )
    alike = [
        str(other) for other in content if str(other).replace("_", "-") == name.replace("_", "-")
    ]
    if alike:
        raise UserError(
            f"In Prefect's UI `{name}` and `{alike[0]}` would be called the same. Take another name."
        )
    own = ROOT / "data" / name
    if own.is_relative_to(data) or data.is_relative_to(own):
        raise UserError(
            f"The pipeline `{name}` will write into data/{name}, and {data.name} is there. Move your data to a folder "
            "of its own."
        )


def with_section(text: str, name: str, found: Guess) -> str:
    """`params.yaml` with one section more, at its end: nothing else is touched."""
    load = "\n".join(f"    {line}" for line in found.load)
    longer = f"{text.rstrip()}\n\n{SECTION.format(name=name, about=found.about, load=load, **found.others)}"
    try:
        if name in YAML(typ="safe").load(longer):
            return longer
    except YAMLError:
        pass
    raise UserError(
        f"{FILE} cannot be continued with the section {name}. Expected sections one below the other, each from the "
        "left border on: `git diff` shows what was changed."
    )


def with_name(text: str, name: str, classes: bool) -> str:
    """`dvc.yaml` with one pipeline more: in the list, among what `load` reads, and among the plots."""

    def add(content) -> None:
        content["vars"][0]["pipelines"].append(name)
        content["stages"]["load"]["foreach"][name] = f"${{{name}.load.path}}"
        history = f"data/{name}/history.csv"
        plots = {
            "learning curve": {
                "x": "epoch",
                "y_label": "loss",
                "y": {history: ["loss", "val_loss"]},
            }
        }
        if classes:
            plots["accuracy"] = {"x": "epoch", "y": {history: ["accuracy", "val_accuracy"]}}
            seen = {f"data/{name}/predictions.csv": "predicted"}
            plots["confusion matrix"] = {"template": "confusion", "x": "actual", "y": seen}
        content["plots"] += [{f"{title} ({name})": plot} for title, plot in plots.items()]

    return edited(text, add)


def edited(text: str, change: Callable[[Any], None]) -> str:
    """`dvc.yaml` with its comments, changed."""
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 4096, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(text)
    change(content)
    written = io.StringIO()
    yaml.dump(content, written)
    return written.getvalue()


def without(name: str, params: str, graph: str, offered: str) -> dict[str, str]:
    """The three files without a pipeline: what is there of it, for a part may have been taken out by hand."""

    def take(content) -> None:
        content["stages"]["load"]["foreach"].pop(name, None)
        for entries, gone in (
            (content["vars"][0]["pipelines"], lambda entry: entry == name),
            (content["plots"], lambda entry: next(iter(entry)).endswith(f"({name})")),
        ):
            for number in reversed([number for number, entry in enumerate(entries) if gone(entry)]):
                del entries[number]  # in its place, so that the others keep their comments

    texts = {
        FILE: re.sub(rf"(?ms)^{re.escape(name)}:.*?(?=^\S|\Z)", "", params).rstrip() + "\n",
        GRAPH: edited(graph, take),
        OFFERED: re.sub(
            rf'(?ms)^  - name: "?{re.escape(name)}(-experiment)?"?\n.*?(?=^  - name:|\Z)', "", offered
        ).rstrip() + "\n",
    }  # fmt: skip
    if texts == {FILE: params, GRAPH: graph, OFFERED: offered}:
        raise UserError(f"There is no pipeline `{name}` in {', '.join(texts)}.")
    return texts


if __name__ == "__main__":
    sys.exit(main())
