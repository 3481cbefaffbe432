"""The pages say what is true: their links, their commands, and the code of the tour."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.__main__ import VERBS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "benchmarks/README.md", *sorted((ROOT / "docs").glob("*.md"))]
LONGEST = 130  # lines of the README
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# So that the test takes seconds: fewer rows and epochs than the tour.
SMALLER = {
    "rows = 10_000": "rows = 1_000",
    '"validation": 2000': '"validation": 200',
    '"epochs": 12': '"epochs": 2',
    '"min_accuracy": 0.8': '"min_accuracy": 0.3',
}


def anchors(page):
    """What a code host calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_its_heading(page):
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
    for file, heading in links:
        target = page.parent / file if file else page
        assert target.exists()
        assert not heading or heading in anchors(target)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_exists(page):
    text = page.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)

    assert set(re.findall(r"`make ([a-z-]+)", text)) <= set(targets)
    assert set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)) <= set(targets)
    assert set(re.findall(r"python -m flows ([a-z]+)", text)) <= set(VERBS)
    scripts = re.findall(r"python ((?:flows|benchmarks)/\w+\.py)", text)
    assert all((ROOT / script).is_file() for script in scripts)


def test_the_readme_is_a_start_page():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST
    assert {"make run", "make test"} <= {" ".join(line.split()[:2]) for line in lines}


def test_every_page_is_reached_from_the_readme():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    pages = [page.name for page in (ROOT / "docs").glob("*.md")]
    assert not [name for name in pages if f"{name})" not in text and name not in text]


def test_the_tour_runs_from_its_first_block_to_its_last(workspaces):
    copy = workspaces("tour")
    # The tour trains `linear` as params.yaml of the project has it.
    (copy.path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    code = "\n".join(BLOCK.findall((ROOT / "docs/tour.md").read_text(encoding="utf-8")))
    for its, smaller in SMALLER.items():
        assert its in code
        code = code.replace(its, smaller)

    said = copy.run("python", "-c", code)
    assert "(60000, 28, 28) uint8" in said
    assert "'after': [0.0, 1.0], 'before': [0.0, 255.0]" in said
    assert "without an activation: True" in said
    assert "with relu: False" in said
    assert "adam, sparse_categorical_crossentropy, accuracy" in said
    assert "Dense(1, sigmoid) cannot work" in said
    assert re.search(r"epoch 2  loss \d\.\d+  val_loss \d\.\d+", said)
    assert "test accuracy 0." in said
    assert "{'10': 16.0" in said or "{'10': 15.99" in said
