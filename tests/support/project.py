"""A project with a small params.yaml: defaults, and two pipelines with comments around them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from pydantic import TypeAdapter
from ruamel.yaml import YAML

from flows.project.folder import Project
from flows.project.steps import STEPS, step

PARAMS = """\
# Every parameter of every pipeline.
defaults: # where pipelines start from
  normalize: &normalize
    scale: pixels # divide by 255
    validation: 0.2
    seed: 0 # which rows are held out
  visualize: &visualize
    near: 0.014
  mlp: &mlp # layers of Dense
    family: mlp
    hidden: [128]
    activation: relu
    batch_norm: false
    dropout: 0
    output_units: auto
    output_activation: auto
    dtype_policy: float32
  cnn: &cnn
    family: cnn
    filters: [32, 64, 128]
    convolutions: 1
    head: flatten
    hidden: [256]
    activation: relu
    batch_norm: false
    dropout: 0
    output_units: auto
    output_activation: auto
    dtype_policy: float32
  adam: &adam
    optimizer: adam
    learning_rate: 0.001 # how far one update goes
    loss: auto
  fit: &fit # how a training goes
    epochs: 20
    batch_size: 32
    schedule: constant
    patience: null
    class_weights: null
    flip: false
    shift: 0
    monitor: val_loss
    seed: 0
    jit_compile: true
    steps_per_execution: auto
  evaluate: &evaluate
    min_accuracy: null
    max_mse: null
    predict: null
  run: &run
    save_every: 30 # seconds between two saved states
    keep_state: false
    timeouts: {load: 600}

pipelines:
  # the images that come with the project
  fashion-cnn: # a convolutional network
    load: {source: fashion_mnist, path: data/built-in}
    normalize: {<<: *normalize}
    visualize: {<<: *visualize}
    build: {<<: *cnn}
    compile: {<<: *adam}
    fit:
      <<: *fit
      flip: true # a shoe that points to the left is a shoe
    evaluate: {<<: *evaluate}
    run: {<<: *run}

  # the smallest training there is
  linear:
    load: {source: line, path: data/built-in}
    normalize:
      <<: *normalize
      scale: none
    visualize:
      <<: *visualize
      near: null # the test rows are the training rows
    build: {family: linear, output_units: auto, output_activation: auto}
    compile: {<<: *adam}
    fit: {<<: *fit}
    evaluate: {<<: *evaluate}
    run: {<<: *run}
"""


def new_project(root: Path, params: str = PARAMS) -> Project:
    root.mkdir(parents=True)
    made = Project(root)
    made.params_file.write_bytes(params.encode())
    return made


def content(project: Project) -> dict:
    return YAML(typ="safe").load(project.params_file)


def checked(project: Project, name: str) -> SimpleNamespace:
    """A pipeline's sections, each checked by its step's model."""
    sections = content(project)["pipelines"][name]
    found = {
        each: TypeAdapter(step(each).params).validate_python(sections.get(each, {}))
        for each in STEPS
    }
    return SimpleNamespace(**found, run=sections["run"])
