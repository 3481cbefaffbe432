"""What every step shares. Kept tiny: a change here runs every step again."""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from pydantic import BaseModel, ConfigDict

log = logging.getLogger("tasks")  # the drivers show these lines in the terminal and in Prefect's UI
# What moves a terminal's cursor, turns its colors or the direction of its text, or ends a line.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def readable(text: str) -> str:
    """Text as one line that a terminal shows as it is: names in a user's data may be anything."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _in_one_line(record: logging.LogRecord) -> bool:
    record.msg, record.args = readable(record.getMessage()), None
    return True


log.addFilter(_in_one_line)


class UserError(Exception):
    """A mistake that the reader can put right: what was found, what was expected, what to do."""

    def __init__(self, says: str) -> None:
        super().__init__("\n".join(map(readable, says.split("\n"))))


class TryAgain(UserError):
    """Something outside may be better in a moment, such as a network that is down."""


class Stopped(Exception):
    """The step was asked to stop, and did so at a point from which it can resume."""


class TimedOut(Stopped):
    """The step has taken as long as it may, and stopped at a point from which it can resume."""


stopping = (
    threading.Event()
)  # a driver sets it when the person, or the system, wants the run to end
# A driver adds functions that are told the share done (0 to 1) of a long step, and how it stands.
watchers: list[Callable[[float, str], None]] = []


class _Limit(threading.local):  # each thread runs a step of its own
    at, says = math.inf, ""


_limit = _Limit()


@contextmanager
def at_most(seconds: float | None, key: str) -> Iterator[None]:
    """Limit the time of the step that this thread runs.

    Args:
        seconds: None: no limit.
        key: of params.yaml, which sets the limit.
    """
    if seconds is not None:
        _limit.at, _limit.says = time.monotonic() + seconds, f"{key} is {seconds:g} seconds"
    try:
        yield
    finally:
        _limit.at = math.inf


def must_stop() -> bool:
    """Whether a step has to stop, at the next point from which it can resume."""
    return stopping.is_set() or time.monotonic() >= _limit.at


def stop(done: str) -> NoReturn:
    """Stop the step, as `must_stop` has said.

    Args:
        done: how far it is, such as `in epoch 2`.
    """
    if stopping.is_set():
        raise Stopped(f"stopped {done}")
    raise TimedOut(f"{_limit.says}: stopped {done}")


class Section(BaseModel):
    """One step's block in `params.yaml`: closed, typed, without defaults: the file says it all."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
