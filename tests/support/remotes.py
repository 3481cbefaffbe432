"""DVC's remotes on this machine: a folder, a real sshd, and an S3 of one's own."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.served import eventually, free_port

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
SEPARATED = Path("/run/sshd")  # root's sshd asks for it; Debian's service makes it
CONFIG = """\
ListenAddress 127.0.0.1
HostKey {0}/host
AuthorizedKeysFile {0}/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""


@contextmanager
def folder(place: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The remote's address, and options of it that no git sees."""
    yield str(place / "remote"), {}


@contextmanager
def ssh(place: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """An sshd that lets in whoever has one key."""
    if SSHD is None:
        pytest.skip("sshd is not installed here: Debian has it in openssh-server")
    for name in ("host", "key"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)]
        subprocess.run(make, check=True)
    (place / "config").write_text(CONFIG.format(place))
    if made := os.geteuid() == 0 and not SEPARATED.exists():
        SEPARATED.mkdir(mode=0o755)

    port = free_port()
    command = [SSHD, "-D", "-e", "-p", str(port), "-f", str(place / "config")]
    with open(place / "log", "w") as log, subprocess.Popen(command, stderr=log) as server:
        try:
            eventually(lambda: "listening" in (place / "log").read_text())
            where = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{place}/remote"
            yield where, {"keyfile": str(place / "key")}
        finally:
            server.terminate()
            if made:
                SEPARATED.rmdir()


@contextmanager
def s3(place: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A server that answers as S3 does."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with open(place / "log", "w") as log, subprocess.Popen(command, stderr=log) as server:
        try:
            eventually(lambda: "Running on" in (place / "log").read_text(), 120)
            httpx.put(f"{url}/models").raise_for_status()  # the bucket
            secret = {"access_key_id": "a", "secret_access_key": "b"}
            yield "s3://models/keras-flows", {"endpointurl": url, **secret}
        finally:
            server.terminate()
