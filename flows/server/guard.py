"""Prefect's server on this machine, which answers no web page but its own.

Every page that a browser shows may send requests to 127.0.0.1. Prefect by itself answers them all,
and whoever may start a run may start any command.
"""

from __future__ import annotations

import os
from collections.abc import Container
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

from flows.project.loopback import HERE

REFUSED = "Prefect's server here answers 127.0.0.1 and localhost, and no other page than its own.\n"


def serve(port: int) -> None:
    """Run Prefect's server, with the settings of the environment, until a signal ends it."""
    own = [f"http://{name}:{port}" for name in ("127.0.0.1", "localhost")]
    os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(own)
    # As pyproject.toml has it, each client of a run would ask for a token first.
    os.environ.setdefault("PREFECT_SERVER_CSRF_PROTECTION_ENABLED", "false")
    os.environ.pop("PREFECT_SERVER_API_BASE_PATH", None)  # it is asked under /api
    os.environ.pop("WEB_CONCURRENCY", None)  # uvicorn would want several processes
    os.umask(0o077)  # its database and its logs are for this user alone

    import uvicorn  # here: Prefect reads its settings when it is imported
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    from flows.server.database import writers_take_turns

    writers_take_turns()
    server = get_current_settings().server
    uvicorn.run(
        Guard(create_app(final=True)),
        host="127.0.0.1",
        port=port,
        timeout_keep_alive=server.api.keepalive_timeout,
        log_level=server.logging_level.lower(),
    )


class Guard:
    """Around an ASGI application: lets in what was sent to this machine, by no foreign page."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        answer = self.application
        if scope["type"] == "http" and not is_own(Headers(scope=scope), HERE):
            answer = PlainTextResponse(REFUSED, 403)
        if scope["type"] == "websocket" and not is_own(Headers(scope=scope), HERE):
            answer = WebSocketClose()
        await answer(scope, receive, _unframed(send))


def _unframed(send: Any) -> Any:
    """Let no page show this server inside of itself, where it could guide a click."""

    async def tell(message: dict) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Content-Security-Policy"] = "frame-ancestors 'none'"
        await send(message)
        if message["type"] == "lifespan.startup.complete":
            print("It is ready.", flush=True)

    return tell


def is_own(headers: Headers, names: Container[str]) -> bool:
    """Whether `Host` is this machine and `Origin`, which a page's requests have, this very server.

    A foreign page whose name leads to 127.0.0.1 (DNS rebinding) still sends its name as `Host`.
    """
    with suppress(ValueError):  # no address, or more than one Host
        (host,) = (urlsplit(f"//{each}") for each in headers.getlist("host"))
        pages = [urlsplit(each) for each in headers.getlist("origin")]
        return host.hostname in names and all(_is_page_of(host, each) for each in pages)
    return False


def _is_page_of(host: SplitResult, page: SplitResult) -> bool:
    """Of two names of this machine, either may be that of the page."""
    same = page.hostname == host.hostname or {page.hostname, host.hostname} <= {*HERE}
    return same and page.port == host.port
