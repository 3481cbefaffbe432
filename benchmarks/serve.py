"""A served model beside the bare interpreter and beside other servers, by turns in one run.

python benchmarks/serve.py --rounds 3 --litserve VENV/bin/python --bentoml VENV/bin/bentoml

`data/fashion` must be exported. LitServe and BentoML are in environments of their own; without
them they are left out. All get one row as JSON, from one client or from 32. `PRIORITY=-10` lets
these processes go first where others use the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from common import ROOT

sys.path.insert(0, str(ROOT))  # for the exported file

CLIENTS = 32
DATA = ROOT / "data" / "fashion"
SERVERS = ROOT / "benchmarks" / "servers"
Numbers = dict[str, float]


def request(port: int, body: bytes) -> bytes:
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def answered(connection: socket.socket) -> None:
    """Read one answer, which must be a good one."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += connection.recv(65536)
    head, _, content = found.partition(b"\r\n\r\n")
    assert b" 200 " in head.partition(b"\r\n")[0], found
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    while len(content) < int(lengths[0].partition(b":")[2]):
        content += connection.recv(65536)


def client(port: int, body: bytes, until: float, times: list[float]) -> None:
    """Ask over one connection until then; the seconds of each request."""
    asked = request(port, body)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.perf_counter() < until:
            begin = time.perf_counter()
            connection.sendall(asked)
            answered(connection)
            times.append(time.perf_counter() - begin)


def load(port: int, body: bytes, clients: int, seconds: float) -> list[float]:
    times: list[float] = []
    until = time.perf_counter() + seconds
    threads = [
        threading.Thread(target=client, args=(port, body, until, times)) for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


@contextmanager
def served(command: list[str], port: int, body: bytes, **env: str) -> Iterator[Numbers]:
    """A server that has answered once: after how many seconds."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [each.replace("PORT", str(port)) for each in command],
        cwd=SERVERS if "bentoml" in command[0] else ROOT,
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    preferred(process.pid)
    try:
        while True:
            assert process.poll() is None, f"{command} ended"
            try:
                client(port, body, time.perf_counter() + 1e-9, [])
                break
            except (OSError, AssertionError):
                time.sleep(0.01)
        seconds = time.perf_counter() - begin
        yield {"pid": process.pid, "start": seconds}
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def preferred(pid: int) -> None:
    """Give a session of processes the priority that PRIORITY asks for, on a busy Linux as root."""
    if priority := os.environ.get("PRIORITY"):
        Path(f"/proc/{pid}/autogroup").write_text(priority)


def tree(pid: int) -> list[psutil.Process]:
    """A process and all that it started."""
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def processor(pid: int) -> float:
    """Seconds of all cores so far: they do not grow when others use the machine."""
    return sum(sum(each.cpu_times()[:2]) for each in tree(pid))


def measured(command: list[str], body: bytes, seconds: float, **env: str) -> Numbers:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with served(command, port, body, **env) as found:
        load(port, body, 1, seconds / 4)
        found["p50"] = 1000 * statistics.median(load(port, body, 1, seconds))
        load(port, body, CLIENTS, seconds / 4)
        begin, used = time.perf_counter(), processor(int(found["pid"]))
        times = load(port, body, CLIENTS, seconds)
        found["rate"] = len(times) / (time.perf_counter() - begin)
        found["cpu"] = 1000 * (processor(int(found["pid"])) - used) / len(times)
        found["mib"] = sum(each.memory_info().rss for each in tree(int(found["pid"]))) / 2**20
        found["p99"] = 1000 * statistics.quantiles(times, n=100)[98]
    return found


def bare(rows: np.ndarray, seconds: float) -> float:
    """Milliseconds of one row in the interpreter alone."""
    from tasks.exports import litert

    model, times = litert.open(DATA / "export" / litert.NAME), []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        begin = time.perf_counter()
        model.ask(rows)
        times.append(time.perf_counter() - begin)
    return 1000 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--litserve", type=Path, help="the Python of an environment that has it")
    parser.add_argument("--bentoml", type=Path, help="its command `bentoml`")
    options = parser.parse_args()

    with np.load(DATA / "raw.npz") as raw:
        rows = raw["x_test"][:1]
    body = json.dumps({"rows": rows.tolist()}).encode()
    python, folder = sys.executable, str(DATA)
    commands = {
        "keras-flows": [python, "-m", "flows", "serve", "fashion", "--port", "PORT"],
        "FastAPI, Keras": [python, str(SERVERS / "by_keras.py"), folder, "PORT"],
    }
    if options.litserve:
        script = [str(options.litserve), str(SERVERS / "by_litserve.py"), folder, "PORT"]
        commands["LitServe"] = [*script, "1", "0"]
        commands["LitServe, batches"] = [*script, "64", "0.001"]
    if options.bentoml:
        commands["BentoML"] = [str(options.bentoml), "serve", "by_bentoml:Served", "-p", "PORT"]

    found: dict[str, list[Numbers]] = {name: [] for name in commands}
    alone = []
    preferred(os.getpid())
    for _ in range(options.rounds):
        alone.append(bare(rows, options.seconds / 2))
        for name, command in commands.items():
            quiet = {"FOLDER": folder, "TF_CPP_MIN_LOG_LEVEL": "3", "BENTOML_DO_NOT_TRACK": "True"}
            quiet["BENTOML_CONFIG_OPTIONS"] = "api_server.logging.access.enabled=false"
            found[name].append(measured(command, body, options.seconds, **quiet))
    told(statistics.median(alone), found)


def told(alone: float, found: dict[str, list[Numbers]]) -> None:
    """The medians as a table."""
    print(
        f"the bare interpreter: {alone:.3f} ms a row; load of the machine {os.getloadavg()[0]:.1f}"
    )
    print("| | first answer | MiB | p50, one client | requests/s, 32 clients | p99 | processor |")
    print("|---|---|---|---|---|---|---|")
    for name, numbers in found.items():
        of = {key: statistics.median(each[key] for each in numbers) for key in numbers[0]}
        values = [f"{of['start']:.2f} s", f"{of['mib']:.0f}", f"{of['p50']:.2f} ms"]
        values += [f"{of['rate']:.0f}", f"{of['p99']:.0f} ms", f"{of['cpu']:.2f} ms"]
        print(f"| {name} | {' | '.join(values)} |")


if __name__ == "__main__":
    main()
