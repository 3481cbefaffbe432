"""A pseudo-terminal, and what a person starts there."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
from contextlib import suppress

from tests.support import warm


class Terminal:
    """A command on a pseudo-terminal, as a person starts it."""

    def __init__(self, workspace, *command: str, **env: str) -> None:
        self.screen, its = pty.openpty()
        self.said = ""
        self.process = warm.begin(
            command,
            {**workspace.env, **env},
            cwd=workspace.path,
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)

    def shows(self, text: str) -> bool:
        """Whether a text is on the screen by now."""
        while select.select([self.screen], [], [], 0.1)[0]:
            try:
                self.said += os.read(self.screen, 10_000).decode()
            except OSError:  # the command has ended
                break
        return text in self.said

    def hang_up(self) -> None:
        """Close it: the system tells all that runs there, and nobody reads what they say."""
        os.close(self.screen)
        with suppress(ProcessLookupError):  # the kernel has told them
            os.killpg(self.process.pid, signal.SIGHUP)
        self.process.wait(timeout=60)

    def end(self) -> None:
        if self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.screen)
