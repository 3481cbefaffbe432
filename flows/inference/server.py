"""The process of a server: its socket, its signals and its end."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from PIL import Image

from flows.inference import app
from flows.inference.connection import Connection
from flows.inference.counts import Counts
from flows.inference.guard import Guard, Names
from flows.inference.model import Model
from flows.inference.service import Limits, Service
from tasks.core.step import UserError

USUAL = Limits()
BURST = 256  # connections that are accepted at once
log = logging.getLogger("flows.inference")


def listen(host: str, port: int) -> socket.socket:
    """The socket of a server.

    Args:
        host: a name or an address of this machine.
        port: 0 takes any that is free.

    Raises:
        UserError: it cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{host}:{port} cannot be listened to: {why}. Choose another --port or --host."
        ) from None
    # asyncio sets it for sockets of its own alone; without it each answer waits 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def serve(
    model: Model,
    load: Callable[[], Model],
    listening: socket.socket,
    names: Names,
    token: str | None = None,
    limits: Limits = USUAL,
) -> None:
    """Answer until SIGTERM or Ctrl-C; SIGHUP takes over what `load` then returns.

    Args:
        model: the first.
        load: opens the model of its time.
        listening: the socket.
        names: under which it may be asked.
        token: that a request must have; None: none.
        limits: of the requests.
    """
    server = prepared(model, load, names, token, limits)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # uvicorn ends by it, and then sends it again
    server.run(sockets=[listening])


def prepared(
    model: Model, load: Callable[[], Model], names: Names, token: str | None, limits: Limits
) -> uvicorn.Server:
    """A server that does not run yet."""
    # Pillow warns of an image that is too large, and refuses one of twice the size.
    Image.MAX_IMAGE_PIXELS = limits.pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)

    counts = Counts()
    service = Service(model, limits, counts)
    application = app.create(service)
    application.router.lifespan_context = _renewing(service, load)
    files = _open_files()
    config = uvicorn.Config(
        Guard(application, names, token, limits, counts),
        http=Connection,
        ws="none",
        loop="asyncio",
        limit_concurrency=min(limits.connections, files // 2),
        backlog=min(BURST, files // 4),
        timeout_graceful_shutdown=int(limits.seconds),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
    )
    return uvicorn.Server(config)


def _open_files() -> int:
    """How many this process may have: each connection is one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**20 if soft == resource.RLIM_INFINITY else soft


def _renewing(service: Service, load: Callable[[], Model]) -> Any:
    """While the server runs SIGHUP loads the model anew, once after however many of them.

    Loads side by side could end in any order, with an older model as the last.
    """

    async def renew() -> None:
        try:
            model = await asyncio.to_thread(load)
        except Exception as error:  # whatever is wrong with it: the one before answers on
            service.counts.takeovers.labels("refused").inc()
            log.error("%s goes on with %s: %s", service.model.name, service.model.version, error)
            return
        service.take_over(model)
        service.counts.takeovers.labels("done").inc()
        log.info("%s now answers with %s", model.name, model.version)

    async def renewals(asked: asyncio.Event) -> None:
        while await asked.wait():
            asked.clear()
            await renew()

    @asynccontextmanager
    async def lifespan(application: Any) -> AsyncIterator[None]:
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGHUP, asked.set)
        task = loop.create_task(renewals(asked))
        yield
        task.cancel()

    return lifespan
