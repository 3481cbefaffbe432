"""The progress of a step: whatever the server does, the training goes on."""

from __future__ import annotations

import socket
import time

from flows.server import process, progress


def test_a_server_that_does_not_answer_is_not_asked_at_each_word_of_a_training(monkeypatch):
    """One that is stuck would hold the training up for ten seconds each time."""
    asked: list[str] = []
    real = process.answers

    def answers() -> bool:
        asked.append("")
        return real()

    monkeypatch.setattr(progress, "answers", answers)
    with socket.socket() as closed, progress.shown("any"):
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{closed.getsockname()[1]}/api")
        for done in (0.1, 0.2, 0.3):
            progress.watchers[-1](done, "")
        assert len(asked) == 1

        ahead = time.monotonic() + progress.SILENCE
        monkeypatch.setattr(time, "monotonic", lambda: ahead)
        progress.watchers[-1](0.4, "")
    assert len(asked) == 2
