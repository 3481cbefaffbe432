"""What code a step consists of: asked by both drivers, and by a training that is to be resumed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tasks.core.folder import md5

ROOT = Path(__file__).parents[2]  # the code that runs: a copy of the project runs its own


@cache
def code(step: str) -> tuple[str, ...]:
    """A step's own file and every project file that it imports, directly or not, sorted."""
    found: set[str] = set()
    todo = [f"tasks/{step}.py"]

    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _imported(name)
    return tuple(sorted(found))


def md5_of(name: str) -> str:
    """The MD5 of a project file as it runs: as it was imported, which may be long ago."""
    module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    imported = getattr(sys.modules.get(module), "__md5__", None)  # from flows/engine/loader.py
    return imported or md5(ROOT / name)


def _imported(name: str) -> Iterator[str]:
    """The project files that a file imports, with the `__init__.py` of the packages they are in."""
    for module in _modules(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            place = "/".join(parts[:end])
            for file in (f"{place}.py", f"{place}/__init__.py"):
                if (ROOT / file).is_file():
                    yield file


def _modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
