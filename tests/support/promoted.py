"""A project whose model is judged again and again: trained in this process, in a second each."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from flows.engine import step as engine
from flows.memory.lock import Used
from flows.memory.reproduce import reproduce
from flows.project.folder import Project
from flows.project.steps import STEPS
from tests.support.own import put_csv

NAME = "votes"
SECTION = """\

  votes:
    load:
      source: csv
      path: votes.csv
      separator: ","
      header: true
      decimal: "."
      target: y
      task: classes
      group: null
      ignore: []
      columns: {}
      missing: refuse
      class_names: null
      test: 0.5
      seed: 0
    normalize: {scale: standard, validation: 0.2, seed: 0}
    visualize: {near: null}
    build: {family: linear, output_units: auto, output_activation: auto}
    compile:
      {optimizer: adam, learning_rate: 0.000001, weight_decay: null, loss: auto, metrics: []}
    fit:
      <<: *fit
      epochs: 1
      seed: 1 # which begins with 78 of 100 answers wrong
    evaluate: {<<: *evaluate, min_accuracy: 0.0, baselines: false}
    run:
      <<: *run
"""
RELEASE = """\
release:
  votes:
    export: {format: litert}
    card: {use: "", limits: "", license: ""}
    promote: {level: 0.05, margin: 0, must: better}
"""
ROWS = 400


def add(root: Path) -> Project:
    """Add the pipeline to a workspace, and commit it."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, ROWS))
    y = (a - b + random.normal(size=ROWS) > 0).astype(int)
    lines = [f"{each:.4f},{other:.4f},{label}" for each, other, label in zip(a, b, y, strict=True)]
    put_csv(root / "votes.csv", "a,b,y", *lines)

    project = Project(root)
    text = project.params_file.read_text(encoding="utf-8")
    text = text.replace("release: {}\n", RELEASE) + SECTION
    project.params_file.write_text(text, encoding="utf-8")
    return project


def train(project: Project) -> None:
    """Bring all steps up to date, by DVC, in this process."""
    for name in STEPS:

        def function(name: str = name) -> Used:
            return engine.run(project, name, NAME)[1]

        reproduce(project, f"{name}@{NAME}", function)


def exported(project: Project, write: Callable[[Path], object] | None = None) -> None:
    """What an export leaves, as DVC records it; a real one takes seconds.

    Args:
        write: writes the model into the folder `export`, else it is no model.
    """

    def function() -> Used:
        place = project.data(NAME) / "export"
        place.mkdir()
        if write:
            write(place)
        else:
            (place / "model.tflite").write_bytes(b"a model")
        (project.data(NAME) / "proof.json").write_text('{"differ": 0}\n')
        sections = {**project.sections(NAME), "release": project.releases()}
        return Used(sections, {})

    reproduce(project, f"export@{NAME}", function)


def git(project: Project, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=project.root, check=True, capture_output=True, text=True
    )
    return done.stdout


def commit(project: Project, message: str = "Train") -> str:
    """Commit all that is here."""
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", message)
    return git(project, "rev-parse", "HEAD").strip()


def for_serving(place: Path) -> None:
    """Convert the trained model, as `export` does before it proves that the answers are equal."""
    from tasks.exports import litert
    from tasks.network.backend import keras  # here: TensorFlow takes seconds to import

    schema = json.loads((place.parent / "schema.json").read_text())
    model = keras.saving.load_model(place.parent / "model.keras")
    litert.write(model, schema, place / litert.NAME)
    shutil.copy(place.parent / "schema.json", place)


def trained(
    project: Project, write: Callable[[Path], object] | None = None, **values: object
) -> str:
    """Train with other parameters, such as `compile__learning_rate=0.1`; export and commit."""
    yaml = YAML()
    content = yaml.load(project.params_file)
    for name, value in values.items():
        section, key = name.split("__")
        content["pipelines"][NAME][section][key] = value
    yaml.dump(content, project.params_file)
    train(project)
    exported(project, write)
    return commit(project)
