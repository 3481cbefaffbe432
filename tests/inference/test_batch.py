"""Questions that come at once are one batch; nobody waits for one to fill."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest

from flows.inference.batch import ROWS, Batches
from tasks.answers.sent import Rows
from tasks.core.step import UserError


class Slow:
    """A model that doubles, when it is let go on."""

    def __init__(self) -> None:
        self.go, self.began = threading.Event(), threading.Event()

    def ask(self, x: np.ndarray) -> np.ndarray:
        self.began.set()
        assert self.go.wait(20)
        if (x < 0).any():
            raise ValueError("below zero")
        return 2 * x


def row(value: float, count: int = 1) -> Callable[[], Rows]:
    """A request of one or more equal rows."""
    return lambda: Rows(np.full((count, 1), float(value)), [], {})


def broken() -> Rows:
    raise UserError("no rows")


async def asked(model: Slow, batches: Batches, *others: asyncio.Task) -> None:
    """Let one question begin, and all others gather behind it."""
    while not model.began.is_set():
        await asyncio.sleep(0.001)
    while batches.questions.qsize() < len(others):
        await asyncio.sleep(0.001)
    model.go.set()


def test_what_gathers_while_the_model_works_is_one_batch_and_each_gets_its_own():
    sizes: list[int] = []

    async def run() -> list:
        model, batches = Slow(), Batches(sizes.append)
        first = asyncio.create_task(batches.ask(model.ask, row(0)))
        await asyncio.sleep(0)
        while not model.began.is_set():
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(batches.ask(model.ask, row(k, k))) for k in (1, 2, 3)]
        await asked(model, batches, *others)
        return await asyncio.gather(first, *others)

    found = asyncio.run(run())
    assert sizes == [1, 6]
    assert [output.tolist() for _, output in found] == [[[0.0]], [[2.0]], [[4.0]] * 2, [[6.0]] * 3]


def test_a_question_alone_is_answered_at_once():
    sizes: list[int] = []

    async def run() -> None:
        model, batches = Slow(), Batches(sizes.append)
        model.go.set()
        for _ in range(3):
            await batches.ask(model.ask, row(1))

    asyncio.run(run())
    assert sizes == [1, 1, 1]


def test_a_batch_ends_at_so_many_rows():
    sizes: list[int] = []

    async def run() -> None:
        model, batches = Slow(), Batches(sizes.append)
        first = asyncio.create_task(batches.ask(model.ask, row(1)))
        others = [asyncio.create_task(batches.ask(model.ask, row(1, ROWS // 2))) for _ in range(4)]
        await asyncio.sleep(0)
        await asked(model, batches)
        await asyncio.gather(first, *others)

    asyncio.run(run())
    assert sum(sizes) == 1 + 2 * ROWS
    assert max(sizes) <= 1 + ROWS


def test_two_models_are_never_asked_in_one_batch_and_an_error_reaches_its_own():
    async def run() -> list:
        one, other, batches = Slow(), Slow(), Batches(lambda rows: None)
        first = asyncio.create_task(batches.ask(one.ask, row(1)))
        await asyncio.sleep(0)
        while not one.began.is_set():
            await asyncio.sleep(0.001)
        tasks = [
            asyncio.create_task(batches.ask(model.ask, row(value)))
            for model, value in ((one, 2), (other, -1), (other, -1), (one, 3))
        ]
        other.go.set()
        await asked(one, batches, *tasks)
        return await asyncio.gather(first, *tasks, return_exceptions=True)

    found = asyncio.run(run())
    assert [found[k][1].item() for k in (0, 1, 4)] == [2, 4, 6]
    assert all(isinstance(found[k], ValueError) for k in (2, 3))


def test_who_does_not_wait_any_more_is_not_answered_and_the_others_are():
    async def run() -> tuple:
        model, batches = Slow(), Batches(lambda rows: None)
        first = asyncio.create_task(batches.ask(model.ask, row(1)))
        await asyncio.sleep(0)
        while not model.began.is_set():
            await asyncio.sleep(0.001)
        gone, stays = (asyncio.create_task(batches.ask(model.ask, row(k))) for k in (2, 3))
        await asyncio.sleep(0.01)
        gone.cancel()
        first.cancel()
        model.go.set()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await stays

    assert asyncio.run(run())[1].item() == 6


def test_what_cannot_be_read_spoils_no_batch():
    async def run() -> list:
        model, batches = Slow(), Batches(lambda rows: None)
        model.go.set()
        tasks = [batches.ask(model.ask, each) for each in (broken, row(1), broken, row(2))]
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(run())
    assert [found[k][1].item() for k in (1, 3)] == [2, 4]
    assert [str(found[k]) for k in (0, 2)] == ["no rows"] * 2
