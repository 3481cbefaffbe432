"""Connections: who is slow is cut, so that nobody keeps a place for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

READ = 2**13  # bytes at once: all others wait while they are taken apart, such as tiny chunks
HEAD = 10.0  # seconds for the head of a request
WHOLE = 60.0  # for all of it and its answer: the guard answers politely before


class Connection(H11Protocol):
    """One connection of uvicorn, which by itself waits for ever in the middle of a request."""

    timer: asyncio.TimerHandle | None = None
    heard = 0.0  # when something came last, on the loop's clock

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.max_size = READ  # type: ignore[attr-defined]
        self.heard = self.loop.time()
        self._limit(HEAD)
        if self.limit_concurrency and len(self.connections) >= self.limit_concurrency:
            self._make_room()

    def _make_room(self) -> None:
        """Cut who has asked nothing yet, or else nothing for the longest time."""
        ours = (each for each in self.connections if isinstance(each, Connection))
        idle = [each for each in ours if each.is_idle()]
        if idle:
            cut = min(idle, key=lambda each: (bool(each.cycle), each.heard))
            cut.transport.abort()
            self.connections.discard(cut)  # now: a request may come before the loop's next turn

    def is_idle(self) -> bool:
        """Whether it waits for a request, or for the rest of its head."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and not self.transport.is_closing()

    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        if self.timer is None:  # the next request begins
            self._limit(HEAD)
        super().data_received(data)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:  # its head is whole, perhaps since the request before it
            self._limit(WHOLE)

    def on_response_complete(self) -> None:
        self._no_limit()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_limit()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        self.transport.abort()  # to close it would wait for who does not read

    def _limit(self, seconds: float) -> None:
        self._no_limit()
        self.timer = self.loop.call_later(seconds, self._cut)

    def _no_limit(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _cut(self) -> Any:
        self.transport.abort()
