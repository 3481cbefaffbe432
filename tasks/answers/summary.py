"""What all answers are together, and their score where the labels are known."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd

from tasks.core.digits import digits
from tasks.core.step import readable
from tasks.sources.base import New


class Part(NamedTuple):
    """The answers to some rows, and the rows as they were read."""

    told: pd.DataFrame
    rows: New


class Score:
    """The score of answers whose labels are known, part by part."""

    def __init__(self) -> None:
        self.rows, self.right, self.unknown = 0, 0, 0
        self.absolute, self.squares = 0.0, 0.0  # sums of the errors

    def add(self, answers: pd.DataFrame, missing: int = 0) -> None:
        """Some answers, of which `missing` rows have no label."""
        if "actual" not in answers:
            return
        known = answers[answers["actual"].notna()]
        self.unknown += len(answers) - len(known) - missing
        self.rows += len(known)
        if pd.api.types.is_numeric_dtype(known["predicted"]):
            errors = known["actual"].astype(np.float64) - known["predicted"].astype(np.float64)
            self.absolute += float(errors.abs().sum())
            self.squares += float((errors**2).sum())
        else:
            self.right += int((known["actual"] == known["predicted"]).sum())


class Summary:
    """What all answers are together; of a regression it keeps each number, 4 bytes."""

    def __init__(self) -> None:
        self.score = Score()
        self.first: Part | None = None
        self.rows, self.classes = 0, Counter[str]()
        self.numbers: list[np.ndarray] = []

    def add(self, part: Part) -> None:
        told = part.told
        self.first = self.first or part
        self.rows += len(told)
        if "confidence" in told:
            self.classes.update(told["predicted"].tolist())
        else:
            self.numbers.append(told["predicted"].to_numpy())
        labels = part.rows.labels
        self.score.add(told, 0 if labels is None else int(pd.isna(labels).sum()))

    def lines(self) -> list[str]:
        """How many rows of each class, then the score if there are labels."""
        score, rows = self.score, f"{self.rows:,} row{'s' * (self.rows != 1)}"
        said = ", ".join(f"{name} {count:,}" for name, count in self.classes.most_common(10))
        found = [readable(f"{rows}: {said}" if said else rows)]
        if score.rows and self.classes:
            share = f"{score.right:,} of {score.rows:,}"
            found.append(f"accuracy {score.right / score.rows:.4f}: {share} are right")
        elif score.rows:
            absolute, squared = score.absolute / score.rows, score.squares / score.rows
            found.append(f"mean absolute error {digits(absolute)}, squared {digits(squared)}")
        if score.unknown:
            have = "row has" if score.unknown == 1 else "rows have"
            found.append(f"{score.unknown:,} {have} a label that the training did not see")
        return found
