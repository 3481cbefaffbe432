"""The saved state of a training: one file with all that is needed to resume inside an epoch.

Keras's `ModelCheckpoint` forgets the best value when it starts again and truncates its only good
file before it writes the next; `BackupAndRestore` starts the epoch anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tasks.core.code import code, md5_of
from tasks.core.folder import Folder
from tasks.core.step import Section, log
from tasks.training.environment import describe, differences

INPUTS = ("architecture.json", "compile.json", "normalized.npz")


@dataclass
class State:
    """Where a training is.

    `now` and `best_weights` are values of variables: `now` of the model, the optimizer and the
    metrics, `best_weights` of the model and the optimizer after the best epoch so far.
    """

    epoch: int = 0  # finished ones
    block: int = 0  # blocks of the next epoch that are done
    best: float = float("inf")  # the lowest value of what is monitored
    best_epoch: int = 0  # counted from 1
    history: list[dict] = field(default_factory=list)
    now: list[np.ndarray] = field(default_factory=list)
    best_weights: list[np.ndarray] = field(default_factory=list)

    def over(self, params: Any) -> bool:
        """Whether nothing is left to train, by the `Params` of `fit`."""
        if self.epoch >= params.epochs:
            return True
        return params.patience is not None and self.epoch - self.best_epoch >= params.patience


class Store:
    """The two files in which the state of a pipeline's training may be.

    `fit.npz` is the state to resume after a kill. `kept.npz` is the last state of a training that
    ended, if `run.keep_state` asks for it: more epochs then continue from it.

    Args:
        folder: the pipeline's folder.
        key: what the training consists of, from `key_of`; other states are not used.
    """

    def __init__(self, folder: Folder, key: str) -> None:
        self.file, self.kept = folder.scratch("fit.npz"), folder.scratch("kept.npz")
        self.key = key

    def load(self, params: Any) -> State | None:
        """The state to continue from, if there is one.

        A training that ended is not repeated by reading its end.

        Args:
            params: the `Params` of `fit`.
        """
        for file, ended in ((self.file, False), (self.kept, True)):
            try:
                state = self._read(file)
            except FileNotFoundError:
                continue
            except Exception as error:  # whatever a damaged file makes NumPy raise
                log.warning("%s cannot be read (%s), so it is not used", file.name, error)
                continue
            if state and state.epoch <= params.epochs and not (ended and state.over(params)):
                return state
        return None

    def _read(self, file: Path) -> State | None:
        """None if it is the state of another training, or from another environment."""
        with np.load(file, allow_pickle=False) as saved:
            about = json.loads(str(saved["about"]))
            environment = differences(about.pop("environment", {}))
            now_count, best_count = about.pop("now_count"), about.pop("best_count")
            if about.pop("key") != self.key:
                return None
            if environment:
                log.warning(
                    "%s was saved elsewhere, where the last digits may differ, so the training "
                    "starts anew: %s",
                    file.name,
                    environment,
                )
                return None
            now = [saved[f"now{k}"] for k in range(now_count)]
            best = [saved[f"best{k}"] for k in range(best_count)]
        return State(**about, now=now, best_weights=best)

    def save(self, state: State) -> None:
        """Write the state beside its place, force it to disk, rename it."""
        about = {
            "key": self.key,
            "environment": describe(),
            "epoch": state.epoch,
            "block": state.block,
            "best": state.best,
            "best_epoch": state.best_epoch,
            "history": state.history,
            "now_count": len(state.now),
            "best_count": len(state.best_weights),
        }
        arrays = {"about": np.array(json.dumps(about))}
        arrays |= {f"now{k}": array for k, array in enumerate(state.now)}
        arrays |= {f"best{k}": array for k, array in enumerate(state.best_weights)}

        with _beside(self.file) as part, open(part, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type] # it has an option of its own
            file.flush()
            os.fsync(file.fileno())

    def keep(self) -> None:
        """Keep the state that was saved last, for more epochs later."""
        with _beside(self.kept) as part:
            shutil.copy(self.file, part)


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """A path to write to, renamed at the end. A full disk has no room for half a state."""
    part = file.with_name(f".part.{file.name}")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def resumes(folder: Folder, params: Any) -> str:
    """Where a training would go on, in words; nothing if it would begin at its first epoch.

    Args:
        folder: the pipeline's folder, with the inputs of `fit`.
        params: the `Params` of `fit`.
    """
    if not any(folder.scratch("").glob("*.npz")):
        return ""  # without reading the inputs
    state = Store(folder, key_of(folder, params)).load(params)
    if state is None or state.over(params):
        return ""
    return f"resumes in epoch {state.epoch + 1} of {params.epochs}"


def key_of(folder: Folder, params: Section) -> str:
    """A digest of what makes a training: its inputs, its parameters, its code.

    More epochs continue a training, unless the learning rate depends on how many there are.
    """
    digest = hashlib.sha256()
    for name in INPUTS:
        with open(folder.path / name, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    for name in code("fit"):
        digest.update(md5_of(name).encode())  # as it runs: it may have been edited since

    length = {"epochs"} if getattr(params, "schedule", None) == "constant" else set()
    chosen = params.model_dump(exclude=length)
    digest.update(json.dumps(chosen, sort_keys=True).encode())
    return digest.hexdigest()
