"""A file or folder of the data: where it is, what messages call it, and its identity."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.core.folder import Folder, Identity, check_regular, identity
from tasks.core.step import UserError


@dataclass(frozen=True)
class InMemory:
    """The content of a file that is not on disk, with what its readers ask of a `Path`."""

    content: bytes
    name: str = "old.csv"

    def open(self, mode: Literal["rb"]) -> io.BytesIO:
        return io.BytesIO(self.content)

    def read_bytes(self) -> bytes:
        return self.content

    def exists(self) -> bool:
        return True

    def is_dir(self) -> bool:
        return False


@dataclass(frozen=True)
class Place:
    """A file or folder of the data: where it is, and what messages call it."""

    path: Path
    shown: str

    @classmethod
    def sent(cls, content: bytes, shown: str) -> Place:
        """What somebody sent, which never becomes a file."""
        return cls(InMemory(content), shown)  # type: ignore[arg-type] # what readers ask of a path

    @classmethod
    def named(cls, path: str, folder: Folder) -> Place:
        """A path of `params.yaml`; a relative one starts at the project's root."""
        return cls(folder.root / path, Path(path).as_posix())

    def __str__(self) -> str:
        return self.shown

    def __truediv__(self, name: str) -> Place:
        return Place(self.path / name, f"{self.shown}/{name}")

    def to(self, path: Path) -> Place:
        """A file or folder inside."""
        inside = path.relative_to(self.path).as_posix()
        return self if inside == "." else self / inside

    @property
    def name(self) -> str:
        return self.path.name

    def existing(self, what: str, folder: bool) -> Place:
        """The same place, if there is such a file or folder.

        Args:
            what: what is expected there, in words.
            folder: whether it is a folder.
        """
        self.there(what)
        if self.path.is_dir() != folder:
            kind = "a folder" if self.path.is_dir() else "a file"
            raise UserError(f"load.path: {self} is {kind}. {_correct(what)}")
        return self

    def there(self, what: str) -> None:
        """Refuse a path that leads nowhere.

        Args:
            what: what is expected there, in words.
        """
        if self.path.exists():
            return
        if self.path.with_name(f"{self.name}.dvc").is_file():
            raise UserError(f"There is no {self}. DVC keeps it: `dvc pull {self}` brings it.")
        raise UserError(f"load.path: there is no {self}. {_correct(what)}")


def _correct(what: str) -> str:
    return f"Expected {what}. Correct the path in params.yaml."


def identities(place: Place) -> dict[str, Identity]:
    """What tells each file of the data from a later one of that name.

    Raises:
        UserError: DVC could not write down a name, or would not see what is behind a link; or
            something there is no file.
    """
    inside = list(place.path.rglob("*"))
    for each in inside:
        check_regular(each, place.to(each))
        if each.is_symlink() and each.is_dir():
            raise UserError(
                f"{place.to(each)} is a symbolic link to a folder. DVC does not look behind it, so "
                "changes there would go unseen. Replace it with the folder itself."
            )

    files = [file for file in (place.path, *inside) if file.is_file()]
    for file in files:
        try:
            file.as_posix().encode()
        except UnicodeEncodeError:
            raise UserError(
                f"{place.to(file.parent)}: the name {file.name!a} is not UTF-8. Rename it."
            ) from None

    return {file.as_posix(): identity(file) for file in files}
