"""Requests that come at once are answered in one call of the model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

import numpy as np

from tasks.answers.sent import Rows

ROWS = 64  # of several requests in one call: with more of them a row takes as long

Ask = Callable[[np.ndarray], np.ndarray]  # rows in, outputs out
Answer = tuple[Rows, np.ndarray]


class Question(NamedTuple):
    """One request, and who waits for its answer."""

    ask: Ask
    read: Callable[[], Rows]
    answer: asyncio.Future[Answer]


class Batches:
    """Reads requests and asks models, in a thread of its own.

    Nobody waits for a batch to fill: questions gather while the model works, and those that are
    there when it has done are the next batch.

    Args:
        told: is called with the number of rows of each batch.
    """

    def __init__(self, told: Callable[[int], None]) -> None:
        self.told = told
        self.questions: SimpleQueue[Question] = SimpleQueue()
        Thread(target=self._work, daemon=True).start()

    async def ask(self, ask: Ask, read: Callable[[], Rows]) -> Answer:
        """The rows of a request, and the outputs for them.

        Args:
            ask: the model, which no other thread may ask.
            read: returns the rows. What it raises, this raises.
        """
        question = Question(ask, read, asyncio.get_running_loop().create_future())
        self.questions.put(question)
        return await question.answer

    def _work(self) -> None:
        while True:
            for _, batch in groupby(self._gathered(), key=lambda each: each[0].ask):
                self._answer(list(batch))

    def _gathered(self) -> list[tuple[Question, Rows]]:
        """What waits, up to so many rows; one at least."""
        found: list[tuple[Question, Rows]] = []
        count = 0
        while not found or (count < ROWS and not self.questions.empty()):
            question = self.questions.get()
            if question.answer.cancelled():
                continue
            try:
                rows = question.read()
            except Exception as error:
                _hand_out([(question, error)])
            else:
                found.append((question, rows))
                count += len(rows.x)
        return found

    def _answer(self, batch: list[tuple[Question, Rows]]) -> None:
        ends = np.cumsum([len(rows.x) for _, rows in batch])
        answers: list[tuple[Question, Answer | Exception]]
        try:
            output = batch[0][0].ask(np.concatenate([rows.x for _, rows in batch]))
        except Exception as error:  # each of those who wait is told
            answers = [(question, error) for question, _ in batch]
        else:
            parts = zip(batch, np.split(output, ends[:-1]), strict=True)
            answers = [(question, (rows, part)) for (question, rows), part in parts]
        self.told(int(ends[-1]))
        _hand_out(answers)


def _hand_out(answers: list[tuple[Question, Answer | Exception]]) -> None:
    """Tell those who wait, in their thread."""
    loop = answers[0][0].answer.get_loop()
    loop.call_soon_threadsafe(_tell, answers)


def _tell(answers: list[tuple[Question, Answer | Exception]]) -> None:
    for question, answer in answers:
        if question.answer.done():  # nobody waits any more
            continue
        if isinstance(answer, Exception):
            question.answer.set_exception(answer)
        else:
            question.answer.set_result(answer)
