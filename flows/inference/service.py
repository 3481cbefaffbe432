"""The model of the moment, and who waits for its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from flows.inference.batch import Batches
from flows.inference.counts import Counts
from flows.inference.model import Model
from tasks.answers.sent import Reader, Rows
from tasks.rows.outputs import check_finite

READERS = 2  # threads that read large bodies, so that small ones need not wait for them
LARGE = 2**16  # bytes


@dataclass(frozen=True)
class Limits:
    """What a server takes on."""

    body: int = 16 * 2**20  # bytes of a request
    held: int = 128 * 2**20  # bytes of all requests together
    rows: int = 10_000  # of a request
    waiting: int = 256  # requests
    connections: int = 512
    seconds: float = 30  # from a request to its answer
    pixels: int = 25_000_000  # of an image, before it gets the size of the training


class Busy(Exception):
    """So many requests wait that one more is refused."""


class Service:
    """Answers with one model, which another may take over.

    Args:
        model: the first.
        limits: of the requests.
        counts: are kept up to date.
    """

    def __init__(self, model: Model, limits: Limits, counts: Counts) -> None:
        self.limits, self.counts = limits, counts
        self.batches = Batches(counts.batches.observe)
        self.readers = ThreadPoolExecutor(READERS)
        self.waiting = 0
        self.take_over(model)

    def take_over(self, model: Model) -> None:
        """Answer with another model from now on; what has begun ends with the one before."""
        self.counts.model.clear()
        self.counts.model.labels(model.name, model.version).set(1)
        self.model = model

    async def answer(
        self, read: Callable[[Reader], Rows], size: int
    ) -> tuple[Model, Rows, np.ndarray]:
        """The outputs for the rows of a request, and the model that they are of.

        Args:
            read: reads the rows; in another thread.
            size: of the body.

        Raises:
            UserError: the request has something else than rows for this model, or rows with values
                that it cannot compute with.
            Busy: too many requests wait.
        """
        if self.waiting >= self.limits.waiting:
            raise Busy
        model = self.model
        self.waiting += 1
        self.counts.waiting.set(self.waiting)
        try:
            here = partial(read, model.reader)
            if size > LARGE:
                loop = asyncio.get_running_loop()
                found = await loop.run_in_executor(self.readers, here)
                here = partial(_same, found)
            rows, output = await self.batches.ask(model.asked.ask, here)
        finally:
            self.waiting -= 1
            self.counts.waiting.set(self.waiting)
        check_finite(output, rows.places.__getitem__)
        self.counts.rows.inc(len(rows.x))
        return model, rows, output


def _same(rows: Rows) -> Rows:
    return rows
