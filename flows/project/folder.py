"""A project: the folder with `params.yaml`, `dvc.yaml` and `data/`. Its root is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.project import params


@dataclass(frozen=True)
class Project:
    """A project by its root, an absolute path: this one, or a copy of it."""

    root: Path

    @classmethod
    def here(cls) -> Project:
        """The project that this code belongs to."""
        return cls(Path(__file__).resolve().parents[2])

    @property
    def params_file(self) -> Path:
        return self.root / params.FILE

    def data(self, pipeline: str) -> Path:
        """The folder of all that a pipeline makes."""
        return self.root / "data" / pipeline

    def pipelines(self) -> list[str]:
        """The names under `pipelines:` in params.yaml."""
        return list(params.pipelines(self.params_file))

    def read(self, pipeline: str) -> Any:
        """The checked parameters of a pipeline; see `params.read`."""
        return params.read(self.params_file, pipeline)

    def release(self, pipeline: str) -> Any:
        """The checked entry of a pipeline under `release:`; see `params.read_release`."""
        return params.read_release(self.params_file, pipeline)

    def releases(self) -> dict[str, Any]:
        """The entries under `release:` as YAML has them."""
        return params.entries(self.params_file, "release")

    def sections(self, pipeline: str) -> dict[str, Any]:
        """Its parameters as YAML has them, as DVC reads them."""
        return params.pipelines(self.params_file)[pipeline]
