"""Who may ask, and how much: around the application, before anything of a request is read."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from flows.inference.counts import Counts
from flows.inference.service import Limits
from flows.project.loopback import HERE
from flows.server.guard import is_own

FREE = ("/", "/docs", "/v2/health/live", "/v2/health/ready")  # need no token: they tell nothing
LINGER = 2.0  # seconds in which a refused body is thrown away, so that its sender reads the answer
GONE = 499  # a status for the counters alone: the sender went away
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
CLOSED = "default-src 'none'; frame-ancestors 'none'"  # the policy of all that is no page


class Refused(Exception):
    """A request that is not answered: a status and a message."""

    def __init__(self, status: int, says: str, **headers: str) -> None:
        super().__init__(says)
        self.status, self.says, self.headers = status, says, headers

    def response(self) -> JSONResponse:
        return JSONResponse({"error": self.says}, self.status, self.headers)


class Names:
    """The names under which this server may be asked.

    A foreign page can make a name of its own lead here (DNS rebinding), but no bare address: so a
    server that listens to other machines takes all of those.

    Args:
        host: that it listens on.
        more: names that lead here, such as a proxy's.
    """

    def __init__(self, host: str, more: Collection[str] = ()) -> None:
        self.names = {*HERE, host.lower(), *(name.lower() for name in more)}
        self.open = host not in HERE

    def __contains__(self, name: object) -> bool:
        return name in self.names or (self.open and _is_address(str(name)))


def _is_address(name: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False


class Guard:
    """Around an ASGI application.

    Args:
        application: answers what is let in.
        names: under which it may be asked.
        token: that a request must have; None: none.
        limits: of a request.
        counts: are told of each.
    """

    def __init__(
        self, application: Any, names: Names, token: str | None, limits: Limits, counts: Counts
    ) -> None:
        self.application, self.names, self.token = application, names, token
        self.limits, self.counts = limits, counts
        self.held = 0  # bytes of bodies

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.application(scope, receive, send)
            return
        begin, request = time.perf_counter(), _Request(scope, receive, send)
        if scope["method"] == "HEAD":  # the same as GET; uvicorn leaves the body out
            scope = {**scope, "method": "GET"}
        try:
            async with asyncio.timeout(self.limits.seconds):
                self._check(scope["path"], Headers(scope=scope))
                await self.application(scope, self._limited(request), request.send)
        except Refused as refused:
            await request.refuse(refused)
        except ClientDisconnect:
            request.status = GONE
        except TimeoutError:
            await request.refuse(_too_slow(request, self.limits.seconds))
        finally:
            self.held -= request.received
            route = getattr(scope.get("route"), "path", "other")
            self.counts.requests.labels(route, request.status).inc()
            self.counts.seconds.labels(route).observe(time.perf_counter() - begin)

    def _check(self, path: str, headers: Headers) -> None:
        if not is_own(headers, self.names):
            raise Refused(403, "The header Host or Origin is not of this server.")
        if self.token and path not in FREE and not _has(headers, self.token):
            raise Refused(
                401,
                "Expected the server's token, as `Authorization: Bearer TOKEN`.",
                **{"WWW-Authenticate": "Bearer"},
            )
        if "transfer-encoding" in headers and "content-length" in headers:
            raise Refused(400, "Expected Content-Length or Transfer-Encoding, not both.")
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused(415, "The body is compressed. Expected it as it is.")
        if int(headers.get("content-length", 0)) > self.limits.body:
            raise self._too_large()

    def _limited(self, request: _Request) -> Any:
        """Receive a body of at most so many bytes."""

        async def receive() -> dict:
            message = await request.receive()
            size = len(message.get("body", b""))
            request.received += size
            self.held += size
            if request.received > self.limits.body:
                raise self._too_large()
            if self.held > self.limits.held:
                raise too_busy()
            return message

        return receive

    def _too_large(self) -> Refused:
        most = self.limits.body // 2**20
        return Refused(413, f"The body is too large. Expected at most {most} MiB: send parts.")


def too_busy() -> Refused:
    says = "Too many requests wait for an answer. Try again in a second."
    return Refused(429, says, **{"Retry-After": "1"})


def _too_slow(request: _Request, seconds: float) -> Refused:
    if request.more_body:
        return Refused(408, f"The body did not arrive in {seconds:g} seconds.")
    return Refused(503, f"There was no answer in {seconds:g} seconds. Send fewer rows.")


def _has(headers: Headers, token: str) -> bool:
    """Whether the token is there; as long as it takes for every wrong one."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    sent = given.encode("latin-1")  # the bytes, as they came
    return kind.lower() == "bearer" and hmac.compare_digest(sent, token.encode())


class _Request:
    """A request on its way: what arrived, and what was answered."""

    def __init__(self, scope: dict, receive: Any, send: Any) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.received, self.more_body, self.status = 0, True, 0

    async def receive(self) -> dict:
        message = await self._receive()
        self.more_body = message.get("more_body", False)
        return message

    async def send(self, message: dict) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", CLOSED)
            headers.update(HEADERS)
        await self._send(message)

    async def refuse(self, refused: Refused) -> None:
        """Answer with an error; if the body still arrives, throw it away for a moment."""
        if self.status:  # the answer has begun: the connection is cut
            return
        response = refused.response()
        if self.more_body:
            response.headers["Connection"] = "close"
        start = {"type": "http.response.start", "status": refused.status}
        await self.send(start | {"headers": response.raw_headers})
        more = self.more_body and int(Headers(scope=self.scope).get("content-length", 1)) > 0
        await self.send({"type": "http.response.body", "body": response.body, "more_body": more})
        if more:
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    while self.more_body:
                        await self.receive()
            await self.send({"type": "http.response.body", "body": b""})
