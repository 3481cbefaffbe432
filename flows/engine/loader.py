"""The code of `tasks` runs as its source says.

Python takes a compiled file (.pyc) for current if its source has the same size and time. DVC goes
by the content: so each module is compiled from what is read, and its MD5 is kept.
"""

from __future__ import annotations

import gc
import hashlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

PACKAGES = ("tasks", "models")


class _FromSource(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        source = self.get_data(self.path)
        module.__md5__ = hashlib.md5(source).hexdigest()  # type: ignore[attr-defined] # ours
        exec(self.source_to_code(source, self.path), module.__dict__)
        # What a module imports stays. Keras collects garbage at both ends of a training: with all
        # of TensorFlow to look through, that takes longer than a small step.
        gc.freeze()


class _Finder:
    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] not in PACKAGES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.origin and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _FromSource(name, spec.origin)
        return spec


def install() -> None:
    """From now on, in this process."""
    sys.meta_path.insert(0, _Finder)
