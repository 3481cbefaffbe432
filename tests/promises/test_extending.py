"""What docs/extending.md says is enough: one of each kind is added to a copy of the project."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^ *```python\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
LEVELS = "        "  # of a method's body

PIPELINE = """\

  xor:
    load: {source: xor, path: data/built-in}
    normalize: {scale: none, validation: none, seed: 0}
    visualize: {near: null}
    build: {family: wide, units: 8, output_units: auto, output_activation: auto}
    compile: {optimizer: adam, learning_rate: 0.05, weight_decay: null, loss: auto, metrics: []}
    fit:
      <<: *fit
      epochs: 30
      monitor: loss
    evaluate: {<<: *evaluate, min_accuracy: 0.5, baselines: false}
    run:
      <<: *run
"""
EXPLAIN = '''\
"""Step 9, explain: a step for a test."""

from tasks.core.folder import Folder
from tasks.core.step import Section


class Params(Section):
    """Nothing to choose."""


def explain(folder: Folder, params: Params) -> str:
    best = folder.read_json("metrics.json")["best_epoch"]
    folder.write_text("explained.txt", f"the best epoch was {best}\\n")
    return "explained"
'''
TASK = '''\
@task(**as_task)
def explain(pipeline: str, how: How = ALONE) -> State:
    """Explain."""
    return bring_up_to_date("explain", pipeline, how)


'''
STAGE = """\

  explain:
    foreach: ${pipelines}
    do:
      cmd: python -m flows.stage explain ${key}
      deps:
        - data/${key}/metrics.json
        - tasks/explain.py
        - tasks/core
        - tasks/__init__.py
      outs:
        - data/${key}/explained.txt
"""
# All steps in one process, as TensorFlow takes seconds to import.
RUN = """
from flows.pipeline import TASKS
from flows.project.folder import Project
from flows.project.steps import STEPS, step
from tasks.core.folder import Folder

project = Project.here()
assert list(TASKS) == list(STEPS), "the flow has other tasks"
params, folder = project.read("xor"), Folder(project.data("xor"))
for name in STEPS:
    run = step(name).run
    more = [run(**{key: getattr(params.run, key) for key in run.model_fields})] if run else []
    print(name, step(name).function(folder, getattr(params, name), *more))

from tasks.exports import FORMATS
from tasks.network.backend import keras
from tasks.release.export import Params

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
file = folder.path / FORMATS[Params(format="weights").format].NAME
schema, x = folder.read_json("schema.json"), [[0.0, 1.0], [1.0, 1.0]]
FORMATS["weights"].write(model, schema, file)
found = FORMATS["weights"].open(file).ask(keras.ops.convert_to_numpy(x))
print("exported", abs(found - model.predict(keras.ops.array(x), verbose=0)).max() < 1e-6)
"""


def blocks(kind: str) -> list[str]:
    """The Python of a section of the page, without its indentation."""
    sections = dict(SECTION.findall(PAGE))
    return [textwrap.dedent(block) for block in BLOCK.findall(sections[kind])]


@pytest.fixture(scope="module")
def copy(workspaces):
    return workspaces("extended")


def edit(copy, file: str, *changes: tuple[str, str]) -> None:
    """Put a text after another one, which must be there once."""
    path = copy.path / file
    text = path.read_text(encoding="utf-8")
    for after, new in changes:
        assert text.count(after) == 1, f"{file}: {after}"
        text = text.replace(after, after + new)
    path.write_text(text, encoding="utf-8")


def write(copy, file: str, text: str) -> None:
    (copy.path / file).write_text(text, encoding="utf-8")


def add_source(copy) -> None:
    (module,) = blocks("A source")
    write(copy, "tasks/sources/xor.py", module)
    registry = ("SOURCES = {\n", '    "xor": xor,\n')
    edit(
        copy,
        "tasks/sources/__init__.py",
        ("parquet\n", "from tasks.sources import xor\n"),
        registry,
    )


def add_family(copy) -> None:
    (module,) = blocks("A family")
    write(copy, "tasks/families/wide.py", module)
    imported = ("import Mlp\n", "from tasks.families.wide import Wide\n")
    registry = ("FAMILIES: dict[str, type[Family]] = {\n", '    "wide": Wide,\n')
    edit(copy, "tasks/families/__init__.py", imported, registry)


def add_metric(copy) -> None:
    (function,) = blocks("A metric")
    path = copy.path / "tasks/scores/classes.py"
    text = path.read_text(encoding="utf-8")
    registry = "SCORES: dict[str, Score] = {\n"
    assert text.count(registry) == 1
    added = f'{function}\n\n{registry}    "sureness": sureness,\n'
    path.write_text(text.replace(registry, added), encoding="utf-8")


def add_plot(copy) -> None:
    (module,) = blocks("A plot")
    write(copy, "tasks/pictures/confidence.py", module)
    title = '    "confidence.png": Title("Confidence"),\n'
    edit(copy, "tasks/pictures/__init__.py", ("TITLES = {  # of a pipeline's folder, in the order "
         "in which they are shown\n", title))  # fmt: skip

    called = f"{LEVELS}confidence.draw(folder, self.confidence)\n"
    imported = ("from tasks.pictures import classes as pictures\n",
                "from tasks.pictures import confidence\n")  # fmt: skip
    drawn = (f"{LEVELS}tested = self.tested\n", called)
    edit(copy, "tasks/scores/classes.py", imported, drawn)

    # The counterpart for regression.
    other = f"{LEVELS}confidence.draw(folder, np.ones(len(predicted)))\n"
    imported = ("from tasks.pictures import regression as pictures\n",
                "from tasks.pictures import confidence\n")  # fmt: skip
    drawn = (f"{LEVELS}tested, predicted = self.tested, self.predicted\n", other)
    edit(copy, "tasks/scores/regression.py", imported, drawn)
    out = ("- data/${key}/calibration.png\n", "        - data/${key}/confidence.png\n")
    edit(copy, "dvc.yaml", out)


def add_format(copy) -> None:
    (module,) = blocks("A format of exported models")
    write(copy, "tasks/exports/weights.py", module)
    path = copy.path / "tasks/exports/__init__.py"
    text = path.read_text(encoding="utf-8")
    text = text.replace("litert, onnx, saved_model\n", "litert, onnx, saved_model, weights\n")
    path.write_text(text, encoding="utf-8")
    edit(copy, "tasks/exports/__init__.py", ("FORMATS = {\n", '    "weights": weights,\n'))
    edit(copy, "tasks/release/export.py", ('Literal["litert", ', '"weights", '))


def add_step(copy) -> None:
    write(copy, "tasks/explain.py", EXPLAIN)
    path = copy.path / "flows/project/steps.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"evaluate")', '"evaluate", "explain")'), encoding="utf-8")

    path = copy.path / "flows/pipeline.py"
    text = path.read_text(encoding="utf-8")
    table = "TASKS: dict[str, Task] = {\n"
    assert text.count(table) == text.count("reload_best, evaluate)") == 1
    text = text.replace(table, TASK + table)
    text = text.replace("reload_best, evaluate)", "reload_best, evaluate, explain)")
    path.write_text(text, encoding="utf-8")

    with open(copy.path / "dvc.yaml", "a", encoding="utf-8") as file:
        file.write(STAGE)


def test_one_of_each_is_added_as_the_page_says_and_runs(copy):
    for add in (add_source, add_family, add_metric, add_plot, add_format, add_step):
        add(copy)
    with open(copy.path / "params.yaml", "a", encoding="utf-8") as file:
        file.write(PIPELINE)

    said = copy.run("python", "-c", RUN)
    assert "load 40 training and 40 test rows from the source itself" in said
    assert "build 2 layers" in said
    assert "explain explained" in said
    assert "exported True" in said

    made = copy.path / "data/xor"
    assert '"test_sureness"' in (made / "metrics.json").read_text()
    assert (made / "confidence.png").stat().st_size > 1000
    assert (made / "explained.txt").read_text().startswith("the best epoch was")

    planned = copy.run("python", "-m", "flows", "plan", "xor")
    assert "explain" in planned
    rooms = ("tests/flows/test_graph.py", "-k", "names_the_rooms")
    assert "passed" in copy.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *rooms)
