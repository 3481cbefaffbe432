"""Requests that come at once are answered in one call of the model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

import numpy as np

ROWS = 64  # of several requests in one call: with more of them a row takes as long

Ask = Callable[[np.ndarray], np.ndarray]  # rows in, outputs out


class Question(NamedTuple):
    """Rows of one request, and who waits for their outputs."""

    model: Ask
    x: np.ndarray
    answer: asyncio.Future[np.ndarray]


class Batches:
    """Asks models in a thread of its own.

    Nobody waits for a batch to fill: questions gather while the model works, and those that are
    there when it has done are the next batch.

    Args:
        told: is called with the number of rows of each batch.
    """

    def __init__(self, told: Callable[[int], None]) -> None:
        self.told = told
        self.questions: SimpleQueue[Question] = SimpleQueue()
        Thread(target=self._work, daemon=True).start()

    async def ask(self, model: Ask, x: np.ndarray) -> np.ndarray:
        """The outputs for some rows; no other thread may ask this model."""
        question = Question(model, x, asyncio.get_running_loop().create_future())
        self.questions.put(question)
        return await question.answer

    def _work(self) -> None:
        while True:
            gathered = [self.questions.get()]
            while sum(len(each.x) for each in gathered) < ROWS and not self.questions.empty():
                gathered.append(self.questions.get())
            wanted = [each for each in gathered if not each.answer.done()]
            for _, batch in groupby(wanted, key=lambda each: id(each.model)):
                self._answer(list(batch))

    def _answer(self, batch: list[Question]) -> None:
        try:
            output: np.ndarray | Exception = batch[0].model(np.concatenate([q.x for q in batch]))
        except Exception as error:  # each of those who wait is told
            output = error
        self.told(sum(len(question.x) for question in batch))
        batch[0].answer.get_loop().call_soon_threadsafe(_hand_out, batch, output)


def _hand_out(batch: list[Question], output: np.ndarray | Exception) -> None:
    begin = 0
    for question in batch:
        end = begin + len(question.x)
        if question.answer.done():  # nobody waits any more
            pass
        elif isinstance(output, Exception):
            question.answer.set_exception(output)
        else:
            question.answer.set_result(output[begin:end])
        begin = end
