"""Why a step runs, in a reader's words."""

from __future__ import annotations

from typing import Any

from flows.project.params import NONE, differences

FEW = 3  # files that are named


def files(paths: list[str], address: str, word: str) -> list[str]:
    """`a.npz and b.npz are missing`; nothing if there are none.

    Args:
        paths: from the project's root; those of the pipeline's own folder are named without it.
        address: DVC's name of the stage, such as `fit@fashion`.
        word: `missing`, `new`, or a verb in the past tense.
    """
    if not paths:
        return []
    verb = ("is " if len(paths) == 1 else "are ") * (word in ("missing", "new"))
    return [f"{listed(paths, address)} {verb}{word}"]


def listed(paths: list[str], address: str) -> str:
    """The first of some files, and how many more there are."""
    folder = f"data/{address.partition('@')[2]}/"
    names = [path.removeprefix(folder) for path in paths]
    if len(names) > FEW:
        names[FEW - 1 :] = [f"{len(names) - FEW + 1} more"]
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def parameter(key: str, old: Any, new: Any, address: str) -> list[str]:
    """`fit.epochs: 20 -> 3`, for each part of a parameter that differs.

    Args:
        key: its name, such as `pipelines.fashion.fit.epochs`.
    """
    return differences(key.removeprefix(f"pipelines.{address.partition('@')[2]}."), old, new)


def between(before: dict[str, Any], after: dict[str, Any], address: str) -> list[str]:
    """What differs between two records of a stage, as `dvc.lock` has them."""
    old, new = (each.get("params", {}).get("params.yaml", {}) for each in (before, after))
    found = []
    for key in {**old, **new}:
        values = old.get(key, NONE), new.get(key, NONE)
        if values[0] != values[1]:
            found += parameter(key, *values, address)

    known = {dep["path"]: dep["md5"] for dep in before.get("deps", [])}
    deps = after.get("deps", [])
    changed = [dep["path"] for dep in deps if known.get(dep["path"], dep["md5"]) != dep["md5"]]
    added = [dep["path"] for dep in deps if dep["path"] not in known]
    return found + files(changed, address, "changed") + files(added, address, "new")
