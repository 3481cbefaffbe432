"""A new pipeline on your own data: a section in params.yaml, its name in dvc.yaml, its deployments in prefect.yaml.

python flows/new.py digits path/to/data
"""

import argparse
import io
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that this file can be started from anywhere

from ruamel.yaml import YAML, YAMLError

from flows.guess import Guess, guess
from flows.params import FILE, ROOT
from tasks.base import UserError

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
    validation: {validation} # rows held out of the training rows, to choose the checkpoint on
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
    class_weights: null # balanced: rows of a rare class count more, so that all classes count the same
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
    parser.add_argument("data", help="an .npz or .csv file, or a folder of IDX files, of images or of two CSV files")
    options = parser.parse_args()
    data = Path(options.data).expanduser().resolve()
    os.chdir(ROOT)
    try:
        params, graph, offered = (Path(file).read_text(encoding="utf-8") for file in (FILE, GRAPH, OFFERED))
        check(options.name, data, YAML(typ="safe").load(params))
        found = guess(data.relative_to(ROOT) if data.is_relative_to(ROOT) else data)
        longer = {
            FILE: with_section(params, options.name, found),
            GRAPH: with_name(graph, options.name, found.classes),
            OFFERED: f"{offered.rstrip()}\n\n{DEPLOYMENTS.format(name=options.name, about=found.about)}",
        }
    except UserError as error:
        print(f"error {error}", file=sys.stderr)
        return 1
    for file, text in longer.items():
        Path(f"{file}.part").write_text(text, encoding="utf-8", newline="\n")
    for file in longer:
        os.replace(f"{file}.part", file)
    print(f"{options.name}: {found.about}. Its section is the last one of {FILE}; what to look at there:")
    print("\n".join(f"  - {note}" for note in found.notes))
    print(f"python flows/train.py {options.name} --plan    # what would run\npython flows/train.py {options.name}")
    return 0


def check(name: str, data: Path, content: dict) -> None:
    """Refuse a name that is taken or cannot be one, and data that the pipeline would write into."""
    if not NAME.fullmatch(name) or name in RESERVED:
        raise UserError(
            f"`{name}` cannot be a pipeline's name. Expected a small letter, then at most 39 small letters, digits, - "
            f"and _, and none of {', '.join(RESERVED)}. Take another."
        )
    if name in content:
        raise UserError(f"{FILE} has a pipeline `{name}` already. Take another name, or remove its section first.")
    if (ROOT / "data" / name).is_relative_to(data):
        raise UserError(
            f"{data.name} holds what the pipeline `{name}` will write. Move your data to a folder of its own."
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
    raise UserError(f"{FILE} cannot be continued with a section. Expected a mapping in lines, as in the first commit.")


def with_name(text: str, name: str, classes: bool) -> str:
    """`dvc.yaml` with one pipeline more: in the list, among what `load` reads, and among the plots."""
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 4096, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(text)
    content["vars"][0]["pipelines"].append(name)
    content["stages"]["load"]["foreach"][name] = f"${{{name}.load.path}}"
    history = f"data/{name}/history.csv"
    plots = {"learning curve": {"x": "epoch", "y_label": "loss", "y": {history: ["loss", "val_loss"]}}}
    if classes:
        plots["accuracy"] = {"x": "epoch", "y": {history: ["accuracy", "val_accuracy"]}}
        seen = {f"data/{name}/predictions.csv": "predicted"}
        plots["confusion matrix"] = {"template": "confusion", "x": "actual", "y": seen}
    content["plots"] += [{f"{title} ({name})": plot} for title, plot in plots.items()]
    written = io.StringIO()
    yaml.dump(content, written)
    return written.getvalue()


if __name__ == "__main__":
    sys.exit(main())
