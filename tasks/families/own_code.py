"""Import a user's function from the folder `models` of a project, and nothing but that folder."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from tasks.core.step import UserError

FOLDER = "models"  # a package of the project: a change in it builds again
FAILED = (Exception, SystemExit)  # everything but Ctrl-C, and a timeout of Prefect's


@contextmanager
def own_function(root: Path, name: str) -> Iterator[Callable]:
    """A function of the project at `root`, imported anew, for as long as the context lasts.

    Meanwhile `models` is that project's folder, for the function's own imports too. Another
    package of that name, imported or installed, is not seen, and is back in its place afterwards.

    Args:
        root: the project's folder.
        name: `models.file:function`.

    Raises:
        UserError: there is no such function, or its file cannot be imported.
    """
    module_name, _, function = name.partition(":")
    path = Path(*module_name.split(".")).with_suffix(".py")
    if not (root / path).is_file():
        raise UserError(
            f"build.function: there is no {path.as_posix()}. Expected a file in the folder "
            f"`{FOLDER}`."
        )
    _refuse_outside(root, root / path)

    with _only_models_of(root):
        try:
            module = importlib.import_module(module_name)
        except FAILED as error:
            raise UserError(
                f"build.function: {path.as_posix()} cannot be imported: {cause(error)}."
            ) from error
        yield _found(module, function, path)


def cause(error: BaseException) -> str:
    """An error of the user's code in one line."""
    return f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0][:200]}"


def _found(module: ModuleType, function: str, path: Path) -> Callable:
    found = getattr(module, function, None)
    if callable(found):
        return found

    known = [
        word for word, value in vars(module).items() if callable(value) and not word.startswith("_")
    ]
    raise UserError(
        f"build.function: {path.as_posix()} has no function `{function}`. "
        f"It has {', '.join(known) or 'none'}."
    )


@contextmanager
def _only_models_of(root: Path) -> Iterator[None]:
    """Make `models` a package of that project, with none of its modules imported yet."""
    others = _taken_out()
    bytecode = sys.dont_write_bytecode
    # Python trusts bytecode of the same size and second, and a file may be edited twice in one.
    sys.dont_write_bytecode = True
    try:
        importlib.invalidate_caches()
        _put_package(root / FOLDER)
        yield
    finally:
        sys.dont_write_bytecode = bytecode
        _taken_out()
        sys.modules.update(others)


def _taken_out() -> dict[str, ModuleType]:
    """Take every module of a package `models` out of Python's list of imported modules."""
    names = [name for name in sys.modules if name.partition(".")[0] == FOLDER]
    return {name: sys.modules.pop(name) for name in names}


def _put_package(folder: Path) -> None:
    """Import the package by its place, so that `sys.path` has no say in it, and from its source."""
    package = ModuleType(FOLDER)
    package.__path__ = [str(folder)]
    sys.modules[FOLDER] = package

    first = folder / "__init__.py"
    if not first.is_file():
        return
    package.__file__ = str(first)
    try:
        exec(compile(first.read_bytes(), first, "exec"), package.__dict__)
    except FAILED as error:
        raise UserError(
            f"build.function: {FOLDER}/__init__.py cannot be imported: {cause(error)}."
        ) from error


# What the user's modules import.


def _refuse_outside(root: Path, file: Path) -> None:
    """Refuse imports of the project's files outside the folder, whose changes DVC would not see."""
    seen: set[Path] = set()
    todo = [root / FOLDER / "__init__.py", file]
    while todo:
        file = todo.pop()
        if file in seen or not file.is_file():
            continue
        seen.add(file)
        for name in _imported(root, file):
            top = name.partition(".")[0]
            if top == FOLDER:
                place = root / Path(*name.split("."))
                todo += [place.with_suffix(".py"), place / "__init__.py"]
            elif (root / top).is_dir() or (root / f"{top}.py").is_file():
                raise UserError(
                    f"build.function: {file.relative_to(root).as_posix()} imports {name}, whose "
                    f"changes DVC would not see. Move it into the folder `{FOLDER}`."
                )


def _imported(root: Path, file: Path) -> Iterator[str]:
    """The full names of the modules that a file imports, and of what it imports from them."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # the import says so
        return
    package = file.relative_to(root).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            if module.partition(".")[0] == FOLDER:
                yield from (f"{module}.{alias.name}" for alias in node.names)
