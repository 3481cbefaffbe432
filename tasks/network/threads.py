"""How many threads TensorFlow computes with: part of the bits, so no machine decides it."""

from __future__ import annotations

from tasks.core.step import UserError

_number = 2  # where nobody says: as in `defaults` of params.yaml
_fixed = False


def use(number: int) -> None:
    """Choose the number for this process, before TensorFlow is imported.

    Raises:
        UserError: TensorFlow computes with another number already.
    """
    global _number
    if _fixed and number != _number:
        raise UserError(
            f"fit.threads is {number}, but TensorFlow computes with {_number} threads in this "
            "process already. Expected one number for a process: run each of these pipelines in a "
            "process of its own, or set the same fit.threads."
        )
    _number = number


def fix() -> int:
    """The number, which stays as it is from now on."""
    global _fixed
    _fixed = True
    return _number
