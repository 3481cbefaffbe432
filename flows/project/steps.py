"""The eight steps, what follows them, and what each says of itself in its module."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from tasks.core.step import Section

STEPS = ("load", "normalize", "visualize", "build", "compile", "fit", "reload_best", "evaluate")
RELEASE = ("export", "card")  # what a model goes through that leaves the project
SWEEP = "sweep"  # many trainings; no step, and yet a stage


@dataclass(frozen=True)
class Step:
    """A step as its module describes it: `tasks/<name>.py`, or `tasks/release/<name>.py`."""

    name: str
    place: str  # of its module in `tasks`
    function: Callable[..., str]
    params: Any  # the model of its section in params.yaml, or a union of models
    run: type[Section] | None  # the model of its keys in `run`, which change no result
    watches: tuple[str, ...]  # folders of the project that it is made of, besides its code
    shareable: bool  # whether its result may come from DVC's remote
    trains: bool  # whether its bytes depend on the processor
    if_memory_is_short: str  # what to do then

    @property
    def sections(self) -> tuple[type[Section], ...]:
        """The models of its section: one, or as many as there are sources or families."""
        if isinstance(self.params, type):
            return (self.params,)
        return get_args(get_args(self.params)[0])

    def watched(self, section: Section) -> tuple[str, ...]:
        """Files and folders that it is made of, besides its code: with the data that are named."""
        path = getattr(section, "path", None)
        return (*self.watches, path) if path else self.watches

    @property
    def tag(self) -> str | None:
        """The key that says which model it is: `source` or `family`."""
        return None if isinstance(self.params, type) else get_args(self.params)[1].discriminator

    def section(self, chosen: str | None) -> type[Section] | None:
        """The model that a value of the tag stands for, such as `csv`; None if there is none."""
        for model in self.sections:
            if self.tag is None or chosen in get_args(model.model_fields[self.tag].annotation):
                return model
        return None


def graph(name: str) -> str:
    """The file that has the stages of a step, or of a sweep."""
    return "release/dvc.yaml" if name in (*RELEASE, SWEEP) else "dvc.yaml"


@cache
def step(name: str) -> Step:
    """A step by its name, which is that of its module and its function."""
    place = f"release/{name}" if name in RELEASE else name
    module = importlib.import_module(f"tasks.{place.replace('/', '.')}")
    return Step(
        name=name,
        place=place,
        function=getattr(module, name),
        params=module.Params,
        run=getattr(module, "Run", None),
        watches=getattr(module, "WATCHES", ()),
        shareable=getattr(module, "SHAREABLE", False),
        trains=getattr(module, "TRAINS", False),
        if_memory_is_short=getattr(module, "IF_MEMORY_IS_SHORT", "Take fewer rows or features."),
    )


def meaning(section: str, chosen: str, key: str) -> str:
    """What a parameter means: the first sentence of its description, to stand behind its value.

    Args:
        section: a step's name, or `run`.
        chosen: the source of `load`, or the family of `build`; of no matter elsewhere.
        key: of that section.
    """
    if section in STEPS:
        models = [step(section).section(chosen)]
    else:
        models = [step(name).run for name in STEPS]
    fields = [model.model_fields[key] for model in models if model and key in model.model_fields]
    if not fields or not fields[0].description:
        return ""
    sentence = fields[0].description.partition(". ")[0].rstrip(".")
    return sentence[0].lower() + sentence[1:]
