"""The process: who may ask, how much at once, how it renews itself, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.datastructures import Headers

from flows.command.serve import address
from flows.inference.app import create
from flows.inference.connection import Connection
from flows.inference.counts import Counts
from flows.inference.guard import Guard, Names
from flows.inference.model import Model, load
from flows.inference.server import _renewing, listen, prepared
from flows.inference.service import Limits, Service
from flows.project.folder import Project
from flows.server.guard import is_own
from tasks.answers.sent import Rows
from tasks.core.step import UserError
from tests.support.answering import PIPELINES, Answering, record
from tests.support.served import eventually

CSV = "text/csv"
BODY = b"1,2\n"
POST = "POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: text/csv\r\n"


def begun(server: Answering) -> socket.socket:
    """A connection with half a request."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall(POST.format(server.port).encode() + b"Content-Length: 4\r\n\r\n1,")
    return connection


def ended(connection: socket.socket) -> str:
    """All that is still answered, until the server closes the connection."""
    found = b""
    with connection:
        while part := connection.recv(65536):
            found += part
    return found.decode()


def export_again(project: Path, other: Path) -> str:
    """Put other models in the place of those that are served; the new version of `points`."""
    for name in PIPELINES:
        shutil.rmtree(project / "data" / name / "export")
        shutil.copytree(other / "data" / name / "export", project / "data" / name / "export")
    record(project)
    lock = (project / "release/dvc.lock").read_text().split("data/points/export\n")[1]
    return lock.split("md5: ")[1][:32]


@pytest.fixture
def server(exports, tmp_path):
    """Of a project that may be changed."""
    root = shutil.copytree(exports / "now", tmp_path / "project")
    with Answering(root, "points") as made:
        made.root = root
        yield made


def test_sigterm_answers_what_has_begun_and_ends_with_0(server):
    connection = begun(server)
    eventually(lambda: server.count("process_open_fds") > 0, 5)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(b"2\n")
    said = ended(connection)
    assert said.startswith("HTTP/1.1 200 OK")
    assert '"predicted"' in said
    assert server.process.wait(timeout=10) == 0


def test_sighup_takes_over_a_newer_model_and_loses_no_request(server, exports):
    versions, failed, stop = [], [], threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=server.url) as client:
            while not stop.is_set():
                answer = client.post("/predict", content=BODY, headers={"Content-Type": CSV})
                if answer.status_code != 200:
                    failed.append(answer.text)
                said = answer.json()
                versions.append((said["version"], said["answers"][0]["predicted"]))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for other in ("later", "now", "later"):
        version = export_again(server.root, exports / other)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda version=version: versions and versions[-1][0] == version, 20)
    stop.set()
    for thread in threads:
        thread.join()

    assert not failed
    assert len(set(versions)) == 2  # each version has its own answer
    assert len({version for version, _ in versions}) == 2
    assert server.count('serve_takeovers_total{result="done"}') == 3


def test_a_version_that_was_asked_for_is_not_answered_by_a_newer_one(server, exports):
    numbers = {"name": "input", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]}
    body = json.dumps({"inputs": [numbers]}).encode()
    version = server.predict(BODY, CSV).json()["version"]
    path = f"/v2/models/points/versions/{version}/infer"
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:1])
    newer = export_again(server.root, exports / "later")
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: server.predict(BODY, CSV).json()["version"] == newer, 20)
    connection.sendall(body[1:])
    said = ended(connection)
    assert said.startswith("HTTP/1.1 404")
    assert "Expected the model points of the version" in said


def test_a_damaged_model_is_refused_and_the_old_one_answers_on(server):
    before = server.predict(BODY, CSV).json()
    file = server.root / "data/points/export/model.tflite"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: "is not what release/dvc.lock records" in server.log.read_text(), 20)
    assert server.predict(BODY, CSV).json() == before
    assert server.count('serve_takeovers_total{result="refused"}') == 1

    file.write_bytes(b"hello")  # recorded, and no model at all
    record(server.root)
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: server.count('serve_takeovers_total{result="refused"}') == 2, 20)
    assert server.predict(BODY, CSV).json()["answers"] == before["answers"]


def test_many_at_once_are_answered_in_batches_and_too_many_are_told_to_come_again(
    exports, tmp_path
):
    root = shutil.copytree(exports / "now", tmp_path / "project")
    with Answering(root, "points", waiting=2) as server:
        many = BODY * 10_000
        codes: list[tuple[int, str]] = []

        def ask() -> None:
            answer = server.client.post("/predict", content=many, headers={"Content-Type": CSV})
            codes.append((answer.status_code, answer.headers.get("retry-after", "")))

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {code for code, _ in codes} == {200, 429}
        assert {after for code, after in codes if code == 429} == {"1"}
        eventually(lambda: server.count("serve_waiting") == 0, 5)
        assert server.predict(BODY, CSV).status_code == 200


def test_bodies_of_all_requests_together_have_a_limit(exports, tmp_path):
    root = shutil.copytree(exports / "now", tmp_path / "project")
    with Answering(root, "points", held=100_000) as server:
        waiting = socket.create_connection(("127.0.0.1", server.port))
        head = POST.format(server.port) + "Content-Length: 99999\r\n\r\n"
        waiting.sendall(head.encode() + b"1,2\n" * 20_000)
        time.sleep(1)  # it has arrived: else it might be refused itself
        eventually(lambda: server.predict(BODY * 10_000, CSV).status_code == 429, 10)
        waiting.close()
        eventually(lambda: server.predict(BODY * 10_000, CSV).status_code == 200, 10)


class Here:
    """A server in this process, without a socket."""

    def __init__(self, exports: Path, **limited: float) -> None:
        limits, counts = Limits(**limited), Counts()
        self.service = Service(load(Project(exports / "now"), "points"), limits, counts)
        self.guard = Guard(create(self.service), Names("127.0.0.1"), None, limits, counts)

    async def post(self, path: str, content: bytes) -> httpx.Response:
        transport = httpx.ASGITransport(self.guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post(path, content=content, headers={"Content-Type": CSV})


def test_an_answer_that_takes_too_long_is_told(exports):
    here, begun, go_on = Here(exports, seconds=0.3), threading.Event(), threading.Event()

    def slow() -> Rows:
        begun.set()
        go_on.wait()
        raise UserError("nobody waits for it")

    async def asked() -> httpx.Response:
        before = asyncio.create_task(here.service.batches.ask(here.service.model.asked.ask, slow))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        late = await here.post("/predict", BODY)
        go_on.set()
        with pytest.raises(UserError):
            await before
        return late

    late = asyncio.run(asked())
    assert late.status_code == 503
    assert late.json() == {"error": "There was no answer in 0.3 seconds. Send fewer rows."}


@pytest.mark.parametrize("path", ["/predict", "/v2/models/points/infer"])
def test_who_is_one_too_many_is_sent_away_before_the_body_is_read(exports, path):
    answer = asyncio.run(Here(exports, waiting=0).post(path, b"no rows at all"))
    assert answer.status_code == 429


def test_who_is_slow_is_cut(exports, tmp_path):
    root = shutil.copytree(exports / "now", tmp_path / "project")
    with Answering(root, "points", seconds=1) as server:
        said = ended(begun(server))
        assert said.startswith("HTTP/1.1 408 ")
        assert "did not arrive in 1 seconds" in said

        from flows.inference import connection

        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as slow:
            slow.sendall(b"GET / HT")
            begin = time.monotonic()
            assert not slow.recv(1)
            assert time.monotonic() - begin < connection.HEAD + 5
        assert server.answers()


def test_who_asks_for_much_at_once_and_reads_nothing_is_cut(exports, tmp_path):
    root = shutil.copytree(exports / "now", tmp_path / "project")
    with Answering(root, "points", seconds=1, whole=3) as server, socket.socket() as deaf:
        before = server.count("process_open_fds")
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", server.port))
        deaf.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode() * 1000)
        eventually(lambda: server.count("process_open_fds") > before, 5)
        eventually(lambda: server.count("process_open_fds") == before, 20)


def test_connections_that_ask_nothing_make_room_for_one_that_does(exports, tmp_path):
    root = shutil.copytree(exports / "now", tmp_path / "project")
    with Answering(root, "points", connections=20) as server, ExitStack() as stack:
        for _ in range(50):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            idle.sendall(b"POST /predict HT")
        assert server.predict(BODY, CSV).status_code == 200
        assert httpx.post(f"{server.url}/predict", content=BODY).status_code == 200


def test_there_are_fewer_connections_than_files_that_may_be_open(exports):
    made = load(Project(exports / "now"), "points")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    try:
        config = prepared(made, lambda: made, Names("127.0.0.1"), None, Limits()).config
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (config.limit_concurrency, config.backlog) == (100, 50)


def test_nobody_waits_long_for_a_body_in_tiny_chunks(exports, monkeypatch):
    made, sizes = load(Project(exports / "now"), "points"), []
    take = Connection.data_received
    monkeypatch.setattr(
        Connection, "data_received", lambda self, data: (sizes.append(len(data)), take(self, data))
    )

    async def asked(port: int, running: uvicorn.Server) -> bytes:
        head = POST.format(port) + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY * 2_500)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + chunks + b"0\r\n\r\n")
        said = await reader.read()
        writer.close()
        running.should_exit = True
        return said

    async def served() -> bytes:
        running = prepared(made, lambda: made, Names("127.0.0.1"), None, Limits())
        listening = listen("127.0.0.1", 0)
        port = listening.getsockname()[1]
        said, _ = await asyncio.gather(asked(port, running), running.serve([listening]))
        return said

    assert asyncio.run(served()).startswith(b"HTTP/1.1 200 ")
    assert max(sizes) <= 2**13


def test_models_are_loaded_one_after_the_other(exports):
    made = load(Project(exports / "now"), "points")
    loading, at_once = [], []

    def slowly() -> Model:
        loading.append(made)
        at_once.append(len(loading))
        time.sleep(0.1)
        return loading.pop()

    async def asked_again_and_again() -> None:
        async with _renewing(Service(made, Limits(), Counts()), slowly)(None):
            for _ in range(9):
                os.kill(os.getpid(), signal.SIGHUP)
                await asyncio.sleep(0.02)
            before = len(at_once)
            os.kill(os.getpid(), signal.SIGHUP)
            async with asyncio.timeout(20):
                while len(at_once) == before or loading:
                    await asyncio.sleep(0.01)

    asyncio.run(asked_again_and_again())
    assert max(at_once) == 1


def test_a_token_is_needed_for_all_that_tells_something(exports, tmp_path):
    root = shutil.copytree(exports / "now", tmp_path / "project")
    with Answering(root, "points", token="sésame") as server:
        for path in ("/", "/docs", "/v2/health/live", "/v2/health/ready"):
            assert server.client.get(path).status_code == 200
        for path in ("/about", "/metrics", "/openapi.json", "/v2", "/v2/models/points"):
            assert server.client.get(path).status_code == 401
        for wrong in ("", "Bearer", "Bearer sesam", "Bearer sesame2", "Basic sesame", "Bearer é"):
            headers = {"Authorization": wrong.encode(), "Content-Type": CSV}
            answer = server.client.post("/predict", content=BODY, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        headers = {"Authorization": "Bearer sésame".encode(), "Content-Type": CSV}
        assert server.client.post("/predict", content=BODY, headers=headers).status_code == 200


def test_pages_may_be_framed_by_nobody_and_load_nothing_from_elsewhere(server):
    for path in ("/", "/docs"):
        answer = server.client.get(path)
        assert (
            "default-src 'none'; script-src 'sha256-" in answer.headers["Content-Security-Policy"]
        )
        assert "http://" not in answer.text.replace("http://127.0.0.1", "")
        assert "https://" not in answer.text
    for path in ("/", "/about", "/nothing"):
        policy = server.client.get(path).headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy


def test_a_server_for_others_takes_any_address_and_the_names_that_it_was_told():
    here, there = Names("127.0.0.1"), Names("0.0.0.0", ["Model.example"])
    assert "localhost" in here
    assert "192.0.2.1" not in here
    assert all(name in there for name in ("192.0.2.1", "2001:db8::1", "model.example", "localhost"))
    assert "evil.example" not in there


@pytest.mark.parametrize(
    ("host", "origin", "own"),
    [
        ("192.0.2.2:8000", "http://192.0.2.2:8000", True),
        ("192.0.2.2:8000", "http://192.0.2.2:8001", False),
        ("192.0.2.2:8000", "http://192.0.2.3:8000", False),
        ("192.0.2.2:8000", "http://localhost:8000", False),
        ("127.0.0.1:8000", "http://localhost:8000", True),
        ("model.example", "http://model.example", True),
    ],
)
def test_a_page_is_of_this_server_only_if_its_address_is(host, origin, own):
    headers = Headers({"host": host, "origin": origin})
    assert is_own(headers, Names("0.0.0.0", ["model.example"])) is own


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    """The command with mistakes, which ends at once."""
    code = (
        "import sys; from pathlib import Path; from flows.project.folder import Project\n"
        f"Project.here = classmethod(lambda cls: Project(Path({str(root)!r})))\n"
        f"from flows.command.serve import main; sys.exit(main({list(arguments)}))"
    )
    import sys

    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_the_address_that_is_told_can_be_opened():
    assert address("127.0.0.1", 8000) == "http://127.0.0.1:8000"
    assert address("::1", 8000) == "http://[::1]:8000"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody"], "nobody has no exported model here. Run `python -m flows export nobody`."),
        (["../points"], "has no exported model here"),
        (["points", "--token-file", "nowhere"], "--token-file nowhere cannot be read"),
        (["points", "--host", "192.0.2.1"], "192.0.2.1:8000 cannot be listened to"),
        (["points", "--port", "70000"], "Choose another --port or --host."),
    ],
)
def test_a_mistake_at_the_start_is_one_line(exports, arguments, says):
    done = run(exports / "now", *arguments)
    assert done.returncode == 1
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_and_a_changed_file_are_named(exports, tmp_path):
    root = shutil.copytree(exports / "now", tmp_path / "project")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "Address already in use" in run(root, "points", "--port", port).stderr

    schema = root / "data/points/export/schema.json"
    schema.write_text(json.dumps(json.loads(schema.read_text()) | {"classes": 7}))
    said = run(root, "points", "--port", "0").stderr
    assert "data/points/export is not what release/dvc.lock records. Run `python" in said
