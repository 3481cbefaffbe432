"""What a user's environment has set: it neither breaks a run nor leaks into it."""

from __future__ import annotations

import base64
import os
import shutil
import stat
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flows.project.folder import Project
from flows.server import process, settings
from tasks.core.step import UserError

TRAIN = ("python", "flows/linear.py")
NOWHERE = "http://127.0.0.1:9"
NOBODY = 54321  # the number of a user without a name
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(scope="module")
def workspace(workspaces):
    """A project of its own .prefect, as a user has it."""
    made = workspaces("surrounded", trained=True, home=True)
    made.flow("linear")
    return made


def test_a_run_takes_no_harm_from_what_a_user_has_set(workspace):
    """For other servers, other projects, and a proxy that is not there."""
    profiles = Path.home() / ".prefect" / "profiles.toml"
    profiles.parent.mkdir()
    home = workspace.path / ".prefect"
    home.chmod(0o755)
    (home / "prefect.db").chmod(0o644)
    profiles.write_text(f'active = "mine"\n[profiles.mine]\nPREFECT_API_URL = "{NOWHERE}/api"\n')
    said = workspace.run(
        *TRAIN,
        http_proxy=NOWHERE,
        HTTPS_PROXY=NOWHERE,
        ALL_PROXY="socks5://127.0.0.1:9",
        no_proxy="example.org",
        PREFECT_API_URL="",
        PREFECT_API_KEY="a-key",
        PREFECT_PROFILE="mine",
        PREFECT_LOGGING_LEVEL="ERROR",
        PREFECT_LOGGING_EXTRA_LOGGERS="mine",
        PREFECT_SERVER_API_AUTH_STRING="name:password",
        PREFECT_SERVER_API_BASE_PATH="/elsewhere",
        PREFECT_SERVER_API_HOST="0.0.0.0",
        PREFECT_SERVER_API_PORT="",
        PREFECT_SERVER_CORS_ALLOWED_ORIGINS="*",
    )
    assert said.count(" cached ") == 8
    assert "Traceback" not in said
    shutil.rmtree(profiles.parent)
    for path in (home, *home.iterdir()):  # the history of runs is its owner's alone
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_failed_run_is_not_tried_again_because_a_user_has_set_that(workspace):
    workspace.set(linear__build__output_units=3)
    said = workspace.run(*TRAIN, code=1, PREFECT_FLOWS_DEFAULT_RETRIES="2")
    workspace.set(linear__build__output_units="auto")
    assert said.count("build        failed") == 1


def test_a_setting_with_a_wrong_value_is_named(workspace):
    said = workspace.run(*TRAIN, code=1, PREFECT_LOGGING_LEVEL="LOUD")
    assert "error PREFECT_LOGGING_LEVEL=LOUD is wrong: Input should be 'DEBUG', 'INFO'" in said
    assert "Traceback" not in said
    said = workspace.run("python", "-m", "flows", "ui", code=1, PREFECT_SERVER_API_PORT="none")
    assert said == "error PREFECT_SERVER_API_PORT=none is not a port. Set one up to 65535.\n"


# It may read whatever there is: the packages may be in a folder of root's.
BECOME_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_user_in_a_clone_is_told_to_make_one_of_their_own(workspace):
    said = workspace.run(*BECOME_NOBODY, "python", "-m", "flows", "plan", "linear", code=1)
    assert said == (
        "error Another user works in this clone, and some of its files are private. Make a clone "
        "of your own: `git clone`. Both may use one cache: `dvc cache dir PLACE`.\n"
    )


@pytest.mark.parametrize("home", ["/", None])
def test_a_user_without_a_name_runs_or_is_told_what_is_missing(workspace, tmp_path, home):
    """As in a container that was started with a number as its user."""
    if os.geteuid():
        pytest.skip("only root may become another user")
    copy = tmp_path / "project"
    shutil.copytree(workspace.path, copy, symlinks=True)
    for path in (copy, *copy.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)

    unset = ["HOME", "USER", "LOGNAME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "KERAS_HOME"]
    unset += ["DVC_SITE_CACHE_DIR", "PREFECT_HOME"]
    env = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [*BECOME_NOBODY, *TRAIN],
        cwd=copy,
        env=env | ({"HOME": home} if home else {}),
        capture_output=True,
        text=True,
        timeout=200,
    )
    if home:
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(" cached ") == 8
    else:
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "This user has no home directory: set HOME to a folder, such as HOME=/tmp."
        ]


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=lambda env: next(iter(env.values())),
)
def test_a_letter_that_the_terminal_does_not_have_is_shown_by_its_number(workspace, env):
    options = {"cwd": workspace.path, "env": {**os.environ, **env}, "capture_output": True}
    told = r"from flows.__main__ import main; print('\u8a9e'); print(main(['plan', '\u8a9e']))"
    done = subprocess.run(["python", "-c", told], **options)
    assert done.stdout.splitlines()[-1] == b"1"
    assert b"\\u8a9e" in done.stdout
    assert b"no pipeline `\\u8a9e`" in done.stderr


@pytest.mark.parametrize(
    ("command", "lines"),
    [("flows/linear.py --force", 1), ("-m flows plan linear", 1)],
)
def test_a_pipe_that_nobody_reads_any_more_ends_the_command_plainly(workspace, command, lines):
    env = {**os.environ, **workspace.env}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    options = {"cwd": workspace.path, "env": env, "text": True, **streams}
    with subprocess.Popen(["python", "-u", *command.split()], **options) as started:
        for _ in range(lines):
            assert started.stdout.readline()
        started.stdout.close()
        assert started.stderr.read() == ""
        assert started.wait(timeout=120) in (0, 1, 130)
    # What was stopped goes on.
    assert " failed " not in workspace.run(*TRAIN)


@pytest.fixture
def environment(monkeypatch):
    """Of a user who has set nothing."""
    for name in [name for name in os.environ if name.lower() in PROXIES]:
        monkeypatch.delenv(name)
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    before = dict(os.environ)
    yield monkeypatch
    for name in set(os.environ) - set(before):
        del os.environ[name]


def configured(root: Path) -> dict[str, str]:
    settings.configure(Project(root))
    return dict(os.environ)


def test_without_a_proxy_no_exception_of_it_is_set(environment, tmp_path):
    assert not {"NO_PROXY", "no_proxy"} & set(configured(tmp_path))


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ("", "127.0.0.1,localhost,::1"),
        ("example.org, localhost", "example.org,localhost,127.0.0.1,::1"),
        ("*", "*"),
    ],
)
def test_a_users_exceptions_of_the_proxy_stay(environment, tmp_path, theirs, expected):
    environment.setenv("HTTPS_PROXY", NOWHERE)
    environment.setenv("NO_PROXY", theirs)
    found = configured(tmp_path)
    assert found["NO_PROXY"] == expected
    assert found["HTTPS_PROXY"] == NOWHERE


@pytest.mark.parametrize(
    ("server", "kept"), [("", False), ("http://localhost:1/api", False), ("https://far/api", True)]
)
def test_a_socks_proxy_stays_only_where_it_is_needed(environment, tmp_path, server, kept):
    environment.setenv("all_proxy", "socks5h://127.0.0.1:9")
    environment.setenv("PREFECT_API_URL", server)
    assert ("all_proxy" in configured(tmp_path)) is kept


class Gate(BaseHTTPRequestHandler):
    """A server, or a proxy, that lets in whoever has the right header."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        code = 200 if self.headers["Authorization"] == self.server.wanted else self.server.refuses
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def gate(environment):
    with ThreadingHTTPServer(("127.0.0.1", 0), Gate) as server:
        server.asked, server.wanted, server.refuses = [], None, 401
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.url = f"http://127.0.0.1:{server.server_port}"
        yield server
        server.shutdown()


@pytest.mark.parametrize("refuses", [401, 403])
def test_a_server_that_wants_a_key_gets_it_and_it_is_asked_for(environment, gate, refuses):
    gate.wanted, gate.refuses = "Bearer the-key", refuses
    with pytest.raises(UserError, match=r"wants a password or a key: set .* or PREFECT_API_KEY"):
        process._must_answer(gate.url)
    environment.setenv("PREFECT_API_KEY", "another")
    with pytest.raises(UserError, match="does not accept PREFECT_API_KEY"):
        process._must_answer(gate.url)
    environment.setenv("PREFECT_API_KEY", "the-key")
    process._must_answer(gate.url)

    gate.wanted = "Basic " + base64.b64encode(b"me:secret").decode()
    environment.setenv("PREFECT_API_AUTH_STRING", "me:secret")  # Prefect's client prefers it
    process._must_answer(gate.url)


@pytest.mark.parametrize("name", ["http_proxy", "ALL_PROXY"])
def test_a_server_elsewhere_is_asked_by_the_proxy_and_one_here_is_not(
    environment, gate, tmp_path, name
):
    environment.setenv(name, gate.url)
    environment.setenv("PREFECT_API_URL", "http://server.example/api")
    configured(tmp_path)
    assert process.answers()
    assert gate.asked == ["http://server.example/api/admin/version"]
    assert not process.answers(f"{NOWHERE}/api")
    assert len(gate.asked) == 1
