"""What the commands print in a narrow terminal, and in words."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from flows.command.sweep import _wrapped
from flows.command.verify import _differences

LINES = [
    "  linear:",
    "    objective: loss # what the best trial is best in, at its checkpoint",
    "    space:",
    "      # too small learns slowly, too large learns nothing at all",
    "      fit.batch_size: [16, 32] # smaller batches learn more in an epoch, and take longer",
]


@pytest.mark.parametrize("width", [30, 50, 60, 200])
def test_a_comment_of_yaml_is_wrapped_between_words_and_stays_one(width):
    parts = [part for line in LINES for part in _wrapped(line, width)]
    words = [word for line in LINES for word in line.split() if word != "#"]
    assert [word for part in parts for word in part.split() if word != "#"] == words
    yaml = YAML(typ="safe")
    assert yaml.load("\n".join(parts)) == yaml.load("\n".join(LINES))
    if width >= 60:
        assert max(map(len, parts)) <= width


def test_environments_differ_in_words():
    versions = {"keras": "3.1", "numpy": "2"}
    there = {"cpu": ["GenuineIntel", "avx2", "amx_tile"], "versions": versions}
    here = {"cpu": ["AuthenticAMD", "avx2"], "versions": {**versions, "keras": "3.2"}}
    assert _differences(there, here) == (
        "cpu there GenuineIntel, amx_tile, here AuthenticAMD; "
        "versions there keras 3.1, here keras 3.2"
    )
    assert _differences(here, here) == ""
