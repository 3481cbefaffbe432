"""Commands of the tests that begin with TensorFlow imported are like all others."""

from __future__ import annotations

import os
import signal

import psutil

from tests.support import warm


def test_a_command_that_begins_warm_is_a_process_of_its_own(workspaces):
    workspace = workspaces("warm")
    workspace.set(linear__fit__epochs=10**6, linear__run__save_every=0.1)
    dvc = workspace.start("dvc", "repro", "fit@linear")
    assert isinstance(dvc, warm.Popen)
    workspace.wait_for_training(dvc)

    (sh,) = psutil.Process(dvc.pid).children()
    (step,) = sh.children()
    assert [each.cmdline()[0] for each in (sh.parent(), sh, step)] == ["dvc", "sh", "python3"]
    assert step.cmdline()[1:5] == ["-m", "flows.stage", "fit", "linear"]
    assert step.cwd() == str(workspace.path)
    assert os.getpgid(step.pid) == dvc.pid

    os.killpg(dvc.pid, signal.SIGKILL)
    assert dvc.wait(timeout=30) == -signal.SIGKILL
    psutil.wait_procs([sh, step], timeout=30)
    assert not step.is_running()


def test_what_python_reads_when_it_starts_keeps_a_command_from_beginning_warm():
    assert warm.can(("python", "-m", "flows", "plan"), {"PREFECT_HOME": "here"})
    assert not warm.can(("python", "-m", "flows", "plan"), {"PYTHONHASHSEED": "7"})
    assert not warm.can(("python", "-c", "import flows"), {})


def test_a_warm_command_that_fails_ends_as_python_does(workspaces):
    workspace = workspaces("warm-mistake")
    assert "there is no verb `nothing`" in workspace.run("python", "-m", "flows", "nothing", code=2)
