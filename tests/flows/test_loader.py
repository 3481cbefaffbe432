"""The code of `tasks` runs as its source says, and is known by what ran."""

from __future__ import annotations

EDITED = """
import sys
import flows
import tasks.fit
from tasks.core.code import md5_of

before = md5_of("tasks/fit.py")
with open("tasks/fit.py", "a") as file:
    file.write("# edited while the process runs")
assert md5_of("tasks/fit.py") == before
assert md5_of("tasks/training/state.py") != before
"""


def test_code_is_known_by_what_was_imported_not_by_what_the_file_became(workspaces):
    workspaces("edited").run("python", "-c", EDITED)
