"""What answers are worth where the labels are known. Light: no TensorFlow is imported for it."""

from __future__ import annotations

import numpy as np
import pandas as pd


class Score:
    """The score of answers whose labels are known, part by part."""

    def __init__(self) -> None:
        self.rows, self.right, self.squares, self.unknown = 0, 0, 0.0, 0

    def add(self, answers: pd.DataFrame, missing: int = 0) -> None:
        """Some answers, of which `missing` rows have no label."""
        if "actual" not in answers:
            return
        known = answers[answers["actual"].notna()]
        self.unknown += len(answers) - len(known) - missing
        self.rows += len(known)
        if pd.api.types.is_numeric_dtype(known["predicted"]):
            errors = known["actual"].astype(np.float64) - known["predicted"].astype(np.float64)
            self.squares += float((errors**2).sum())
        else:
            self.right += int((known["actual"] == known["predicted"]).sum())
