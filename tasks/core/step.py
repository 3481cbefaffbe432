"""What every step shares. Kept tiny: a change here runs every step again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

log = logging.getLogger("tasks")  # the drivers show these lines in the terminal and in Prefect's UI


class UserError(Exception):
    """A mistake that the reader can put right: what was found, what was expected, what to do."""


class TryAgain(UserError):
    """Something outside may be better in a moment, such as a network that is down."""


class Stopped(Exception):
    """The step was asked to stop, and did so at a point from which it can resume."""


stopping = (
    threading.Event()
)  # a driver sets it when the person, or the system, wants the run to end
# A driver adds functions that are told the share done (0 to 1) of a long step, and how it stands.
watchers: list[Callable[[float, str], None]] = []


class Section(BaseModel):
    """One step's block in `params.yaml`: closed, typed, without defaults: the file says it all."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
