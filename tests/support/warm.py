"""Processes that begin with TensorFlow imported.

A step needs a tenth of a second for itself, and three for its imports. So the tests' commands are
forked from one process that has imported the packages, but nothing of the project. In all else
they are what they would be: a process of their own with its number, its group, its folder, its
variables and its name, in which `python -m flows ...` or `dvc ...` begins.

python tests/support/warm.py SOCKET
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import gc
import json
import logging
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

LONGEST = 4000  # bytes of a command, as `ps` shows it
# What a process may be given without a start of its own: Python and the packages read the
# rest when they are imported.
LATER = ("DVC_", "GIT_", "PREFECT_", "XDG_CACHE_HOME", "http_proxy", "https_proxy", "no_proxy")
PACKAGES = (
    *("matplotlib.backends.backend_agg", "matplotlib.figure", "matplotlib.style", "PIL.Image"),
    *("pandas", "pandas.io.formats.csvs", "scipy.stats", "sklearn.ensemble", "sklearn.metrics"),
    *("sklearn.linear_model", "h5py", "threadpoolctl", "ruamel.yaml", "rich.table", "psutil"),
    *("dvc.cli.parser", "dvc.repo.index", "dvc.repo.open_repo", "dvc.repo.reproduce", "dvc.scm"),
    *("dvc.repo.status", "dvc.data_cloud", "dvc.utils.strictyaml", "dvc_data.index", "networkx"),
    *("fastapi", "griffe", "httpx", "jsonschema", "opentelemetry.trace"),
    *("prometheus_client", "pydantic.main", "pydantic_settings", "websockets.asyncio.client"),
)
# Prefect reads its settings when a process imports it: see `Prefect`.
PREFECT = (
    *("prefect.artifacts", "prefect.automations", "prefect.client.orchestration"),
    *("prefect.cli", "prefect.deployments.runner", "prefect.events.worker"),
    *("prefect.flow_engine", "prefect.logging.configuration", "prefect.runner"),
    *("prefect.runtime.flow_run", "prefect.server.api.server", "prefect.task_engine"),
    *("prefect.workers.process",),
)
DVC = Path(sys.executable).with_name("dvc")


def can(command: tuple[str, ...], env: dict[str, str | None]) -> bool:
    """Whether a command with these variables can begin warm."""
    program, *rest = command
    ours = program == "python" and (rest[:2] == ["-m", "flows"] or rest[0].startswith("flows/"))
    return (ours or program == "dvc") and all(name.startswith(LATER) for name in env)


def begin(command: tuple[str, ...], given: dict[str, str | None], **options: Any):
    """Start a command, warm if it can be.

    Args:
        command: a program and its arguments.
        given: variables that it has beside those of this process; those that are None it has not.
        options: of `subprocess.Popen`.
    """
    everything = {**os.environ, **given}
    env = {name: value for name, value in everything.items() if value is not None}
    if can(command, given):
        return Popen(server(), command, env=env, **options)
    return subprocess.Popen(command, env=env, **options)


@cache
def server() -> str:
    """Where the server of this process listens. It ends with this process."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))  # short, as the path of a socket has to be
    atexit.register(shutil.rmtree, folder)
    place = folder / "socket"
    command = [sys.executable, __file__, str(place), "-" * LONGEST]
    streams = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, start_new_session=True, **streams)
    while not place.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    atexit.register(process.communicate)  # which ends it, as its pipe is closed
    return str(place)


class Popen(subprocess.Popen):
    """A process as `subprocess.Popen` starts it, but forked by a server.

    Args:
        server: the path of its socket.
    """

    def __init__(self, server: str, command: Any, **options: Any) -> None:
        self.server = server
        super().__init__(command, **options)

    def _execute_child(self, args, executable, preexec, close, passed, cwd, env, *more) -> None:
        pipes, session = more[3:9], more[14]
        begun = socket.socket(socket.AF_UNIX)
        begun.connect(self.server)
        request = {
            "command": list(args),
            "cwd": str(cwd or os.getcwd()),
            "env": dict(os.environ if env is None else env),
            "session": session,
        }
        streams = [pipes[0], pipes[3], pipes[5]]
        streams = [number if given == -1 else given for number, given in enumerate(streams)]
        socket.send_fds(begun, [b"3"], streams)
        begun.sendall(json.dumps(request).encode() + b"\n")
        self.said = begun.makefile("rb", buffering=0)
        self.pid = int(self.said.readline())
        self._child_created = True
        self._close_pipe_fds(*pipes)

    def _try_wait(self, flags: int) -> tuple[int, int]:
        if flags & os.WNOHANG and not select.select([self.said], [], [], 0)[0]:
            return 0, 0
        return self.pid, int(self.said.readline() or signal.SIGKILL)

    def _internal_poll(self, _deadstate: Any = None, **_: Any) -> int | None:
        if self.returncode is None and _deadstate is None:
            pid, status = self._try_wait(os.WNOHANG)
            if pid:
                self._handle_exitstatus(status)
        return self.returncode


def serve(path: str, until: int) -> dict[str, Any]:
    """Fork a process for each request. Returns in the forked process, with its request.

    Args:
        path: of the socket to listen on.
        until: the reading end of a pipe; when it is closed, the server ends.
    """
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{path}.new")
    listener.listen()
    os.rename(f"{path}.new", path)  # whoever finds it can connect
    waiting: dict[int, socket.socket] = {}

    while True:
        ready, _, _ = select.select([listener, woken, until], [], [])
        if until in ready:
            os.unlink(path)
            os._exit(0)
        if woken in ready:
            woken.recv(1000)
            _tell_ended(waiting)
        if listener in ready:
            asked, _ = listener.accept()
            _, streams, *_ = socket.recv_fds(asked, 1, 3)
            with asked.makefile("rb") as lines:
                request = json.loads(lines.readline())
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                return {**request, "streams": streams, "asked": asked.detach()}
            for stream in streams:
                os.close(stream)
            waiting[pid] = asked


def _tell_ended(waiting: dict[int, socket.socket]) -> None:
    """Tell those who wait for a process that it has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        with waiting.pop(pid) as asked, suppress(OSError):
            asked.sendall(b"%d\n" % status)


def become(request: dict[str, Any]) -> None:
    """Be the process that was asked for, up to its first line."""
    if request["session"]:
        os.setsid()
    for number, stream in enumerate(request["streams"]):
        os.dup2(stream, number)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        stream = open(number, mode, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.stderr.reconfigure(line_buffering=True)

    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    rename(request["command"])
    os.write(request["asked"], b"%d\n" % os.getpid())
    os.closerange(3, 1024)


def rename(command: list[str]) -> None:
    """Show another command for this process, where `ps` and psutil look."""
    text = b"\0".join(part.encode() for part in command)[: LONGEST - 1] + b"\0"
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    first, last = int(fields[45]), int(fields[46])  # `arg_start`, `arg_end`: 48 and 49 of proc(5)
    ctypes.memset(first, 0, last - first)
    ctypes.memmove(first, text, min(len(text), last - first))


def run(command: list[str]) -> NoReturn:
    """What Python, or the program `dvc`, does from its start to its end.

    But for the very last: to take down modules would copy the memory that all processes share.
    """
    code: Any = 0
    try:
        _execute(*command)
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 130 if isinstance(error, KeyboardInterrupt) else 1

    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code or 0)


def _execute(program: str, *rest: str) -> None:
    if program == "dvc":
        sys.argv, sys.path[0] = [str(DVC), *rest], str(DVC.parent)
        from dvc.cli import main

        sys.exit(main())
    if rest[0] == "-m":
        sys.argv, sys.path[0] = list(rest[1:]), os.getcwd()
        runpy._run_module_as_main(rest[1])
    else:
        sys.argv, sys.path[0] = list(rest), str(Path(rest[0]).resolve().parent)
        runpy.run_path(rest[0], run_name="__main__")


def children_begin_warm(path: str) -> dict[str, Any] | str:
    """Let this process start others warm: from a copy of itself, its child.

    Returns:
        Where the copy listens; in a process that it has forked, the request.
    """
    until, held = os.pipe()
    server = f"{path}-{os.getpid()}"
    if os.fork() == 0:
        os.close(held)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        rename(["sh", "-c", "python3 -m flows.stage"])
        request = serve(server, until)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return request
    os.close(until)
    while not os.path.exists(server):
        time.sleep(0.001)
    return server


def begin_steps_at(server: str) -> None:
    """Let this process, a `dvc`, start the commands of its stages there."""
    from dvc.stage import run as stage

    def begin(command: Any, **options: Any) -> subprocess.Popen:
        words = command[-1].split()
        if words[:3] == ["python3", "-m", "flows.stage"]:
            return Popen(server, words, **options)
        return subprocess.Popen(command, **options)

    class Starting:
        Popen = staticmethod(begin)
        check_output = staticmethod(subprocess.check_output)

    stage.subprocess = Starting


def begin_runs_at(server: str) -> None:
    """Let this process, a Prefect worker, start the runs of deployments there."""
    begun: dict[int, subprocess.Popen] = {}

    def begin(command: Any, shell: bool, **options: Any) -> subprocess.Popen:
        if list(command[1:]) != ["-m", "prefect.engine"]:
            return subprocess.Popen(command, shell=shell, **options)
        process = Popen(server, command, **options)
        begun[process.pid] = process
        return process

    class Starting:
        Popen = staticmethod(begin)
        PIPE = subprocess.PIPE

    class Watcher(asyncio.ThreadedChildWatcher):
        """asyncio waits for a child of its own; these are another's."""

        def _do_waitpid(self, loop, pid, callback, arguments) -> None:
            if pid not in begun:
                super()._do_waitpid(loop, pid, callback, arguments)
            else:
                code = begun.pop(pid).wait()
                loop.call_soon_threadsafe(callback, pid, code, *arguments)

    asyncio.unix_events.subprocess = Starting
    asyncio.set_child_watcher(Watcher())


class Prefect:
    """Lets a process import Prefect, which is there already, and do then what depends on it."""

    def __init__(self) -> None:
        names = [name for name in sys.modules if f"{name}.".startswith("prefect.")]
        self.modules = {name: sys.modules.pop(name) for name in names}
        del self.modules["prefect.engine"]  # a program of its own
        self.spec = self.modules["prefect"].__spec__
        logging.root.handlers.clear()  # its own, which would speak in a `dvc`, too

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name == "prefect" else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec
        sys.modules.update(self.modules)
        self.modules["prefect.context"].refresh_global_settings_context()
        loggers = self.modules["prefect.logging.configuration"]
        loggers.PROCESS_LOGGING_CONFIG.clear()
        loggers.setup_logging()


def imports() -> None:
    """What the steps, DVC and Prefect import. Prefect itself reads its settings then."""
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    hidden = ("matplotlib", "pandas", "scipy", "sklearn")  # from Keras, as in tasks/network
    sys.modules.update(dict.fromkeys(hidden))
    import keras  # noqa: F401

    for name in hidden:
        del sys.modules[name]
    for name in PACKAGES:
        import_module(name)
    for name in PREFECT:
        import_module(name)
    sys.meta_path.insert(0, Prefect())


def main(path: str) -> None:
    imports()
    gc.collect()
    gc.freeze()
    request = serve(path, 0)
    become(request)
    begin_at = begins_others(request["command"])
    if begin_at:
        place = children_begin_warm(path)
        if isinstance(place, dict):
            request = place
            become(request)
        else:
            begin_at(place)
    run(request["command"])


def begins_others(command: list[str]) -> Callable[[str], None] | None:
    """What lets this command start its processes warm, if it starts any."""
    if command[0] == "dvc":
        return begin_steps_at
    return begin_runs_at if command[1:4] == ["-m", "flows", "worker"] else None


if __name__ == "__main__":
    main(sys.argv[1])
