"""The routes of a server: what may be asked, and in what form it answers."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, Response

from flows.inference import body, describe, protocol
from flows.inference.guard import Refused, too_busy
from flows.inference.service import Busy, Service
from tasks.core.step import UserError

HERE = Path(__file__).parent
SILENT: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
LONGEST = 400  # characters of each end of a message, which may quote what was sent
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def create(service: Service) -> FastAPI:
    """The application that answers with a service's model."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, telemetry=SILENT)
    _errors(app)
    _people(app, service)
    _programs(app, service)
    _health(app)
    _models(app, service)
    return app


def _programs(app: FastAPI, service: Service) -> None:
    @app.post("/predict")
    async def predict(request: Request) -> Response:
        """Answer rows: an image, CSV, JSON, or a form with files of these kinds."""
        kind, content = request.headers.get("content-type", ""), await request.body()
        limits = service.limits
        read = partial(body.read, kind, content, most=limits.rows, seconds=limits.seconds)
        model, rows, output = await service.answer(lambda reader: read(reader=reader), len(content))
        said = {"model": model.name, "version": model.version}
        told = {"unknown_words": rows.unknown, "unused_columns": [*rows.unused]}
        more = {name: value for name, value in told.items() if value}
        return JSONResponse(said | {"answers": model.answers(rows, output)} | more)

    @app.get("/about")
    async def about() -> Response:
        """The model: its version, its score on the test rows, what it takes, and an example."""
        return JSONResponse(describe.about(service.model))

    @app.get("/metrics")
    async def metrics() -> Response:
        """Requests, rows, batches and times, as Prometheus reads them."""
        return Response(service.counts.text(), media_type=PROMETHEUS)

    @app.get("/openapi.json")
    async def openapi() -> Response:
        """All this as OpenAPI, with the rows of the model that answers."""
        return JSONResponse(_openapi(app, service))


def _openapi(app: FastAPI, service: Service) -> dict[str, Any]:
    model = service.model
    said = get_openapi(title=model.name, version=model.version, routes=app.routes)
    predict = said["paths"]["/predict"]["post"]
    predict["requestBody"] = describe.request_body(model)
    predict["responses"]["200"]["content"] = {
        "application/json": {"schema": describe.answer(model)}
    }
    return said


def _health(app: FastAPI) -> None:
    """The routes of the Open Inference Protocol that say something of the server."""

    @app.get("/v2")
    async def server() -> dict[str, Any]:
        """This server."""
        return {"name": "keras-flows", "version": "2", "extensions": ["binary_tensor_data"]}

    @app.get("/v2/health/live")
    async def live() -> dict[str, bool]:
        """Whether the server lives."""
        return {"live": True}

    @app.get("/v2/health/ready")
    async def ready() -> dict[str, bool]:
        """Whether it can answer."""
        return {"ready": True}


def _models(app: FastAPI, service: Service) -> None:
    """The routes of the Open Inference Protocol that say something of the model, or ask it."""

    def check(name: str, version: str | None) -> None:
        model = service.model
        if name != model.name or version not in (None, model.version):
            raise Refused(404, f"Expected the model {model.name} of the version {model.version}.")

    @app.get("/v2/models/{name}")
    @app.get("/v2/models/{name}/versions/{version}")
    async def metadata(name: str, version: str | None = None) -> dict[str, Any]:
        """The model: its inputs and outputs."""
        check(name, version)
        return protocol.metadata(service.model)

    @app.get("/v2/models/{name}/ready")
    @app.get("/v2/models/{name}/versions/{version}/ready")
    async def model_ready(name: str, version: str | None = None) -> dict[str, bool]:
        """Whether the model can answer."""
        check(name, version)
        return {"ready": True}

    @app.post("/v2/models/{name}/infer")
    @app.post("/v2/models/{name}/versions/{version}/infer")
    async def infer(request: Request, name: str, version: str | None = None) -> Response:
        """Answer tensors."""
        length = request.headers.get(protocol.LENGTH)
        content = await request.body()
        check(name, version)  # a newer model may have come meanwhile
        asked = protocol.Inference(content, length)
        model, most = service.model, service.limits.rows
        read = partial(asked.read, model=model, most=most)
        model, _, output = await service.answer(read, len(content))
        return asked.response(model, output)


def _people(app: FastAPI, service: Service) -> None:
    """Pages that load nothing from elsewhere."""
    page, docs = (_page(name) for name in ("page.html", "docs.html"))

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return page

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> Response:
        return docs


def _page(name: str) -> Response:
    """A file whose script and style alone may work there."""
    text = (HERE / name).read_text(encoding="utf-8")
    script, style = (_hash(text, tag) for tag in ("script", "style"))
    policy = (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
        "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})


def _hash(text: str, tag: str) -> str:
    (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _errors(app: FastAPI) -> None:
    """Every error is `{"error": ...}`, as the Open Inference Protocol has it."""

    def told(status: int) -> Any:
        async def tell(request: Request, error: Exception) -> Response:
            says = str(error)
            if len(says) > 2 * LONGEST:
                says = f"{says[:LONGEST]} ... {says[-LONGEST:]}"
            return JSONResponse({"error": says}, status)

        return tell

    async def failed(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": "The server failed; its log says why."}, 500)

    async def busy(request: Request, error: Exception) -> Response:
        return too_busy().response()

    async def refused(request: Request, error: Any) -> Response:
        return error.response()

    async def missing(request: Request, error: Any) -> Response:
        says = f"{request.method} {request.url.path}: {error.detail}. /docs lists the routes."
        return JSONResponse({"error": says}, error.status_code, error.headers)

    app.add_exception_handler(UserError, told(422))
    app.add_exception_handler(body.WrongKind, told(415))
    app.add_exception_handler(Exception, failed)
    app.add_exception_handler(Busy, busy)
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(404, missing)
    app.add_exception_handler(405, missing)
