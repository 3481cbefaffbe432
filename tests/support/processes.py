"""The processes of commands that were started in a workspace."""

from __future__ import annotations

import psutil

from tests.support.served import eventually


def at_work(workspace, module: str) -> psutil.Process:
    """The process of a module that was started in a workspace."""

    def found() -> list[psutil.Process]:
        return [
            process
            for process in psutil.process_iter(["cmdline", "cwd", "status"])
            if module in (process.info["cmdline"] or ())
            and process.info["cwd"] == str(workspace.path)
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ]

    eventually(found)
    return found()[0]
