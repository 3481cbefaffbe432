"""Values of a table that are read, and may mean something else: what a person should look at."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from unicodedata import normalize

import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype

from flows.guess.task import counted
from tasks.sources import totals
from tasks.sources.dates import CENTURY
from tasks.sources.kinds import parsed

# Numbers that programs write where a value is missing.
SENTINELS = (
    *(-8, -9, -77, -88, -99, -999, -9999, -99999),
    *(77, 88, 97, 98, 99, 777, 888, 997, 998, 999, 9999, 99999),
)
OFTEN = 0.01  # of the rows that have such a number

# What several rows may be of; and what names of columns add to that, such as `patient_id`.
PERSON = (
    *("patient", "subject", "person", "participant", "proband", "respondent", "volunteer"),
    *("individual", "speaker", "writer", "student", "pupil", "player", "employee", "worker"),
    *("child", "infant", "mother", "donor", "animal"),
)
OWNER = re.compile(
    rf"({'|'.join(PERSON)}|author|user|customer|client|member|driver|household|family|plant|tree"
    r"|device|machine|vehicle|engine|kunde|haushalt|tier)s?"
)
ADDED = ("id", "ids", "no", "nr", "num", "number", "key", "code", "name", "uid", "uuid", "hash")
OFFSET = re.compile(r":\d\d(?:[.,]\d+)? ?(?:Z|[+-]\d\d(?::?\d\d)?)$")  # of a time
BLOCKS = 3  # of merged cells, at least
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
FEWEST = 5  # different ones, with two rows each on average
FAMILY = 12  # different numbers that may count persons


def of(
    rows: pd.DataFrame, target: str, task: str, kinds: Mapping[str, str], ignore: Collection[str]
) -> list[str]:
    """A line for each doubt.

    Args:
        rows: of all files; numbers are numbers, dates and words are text.
        target: the column to predict.
        task: classes or regression.
        kinds: of the features that are no numbers, by their names.
        ignore: columns that are no features.
    """
    features = {name: kind for name, kind in kinds.items() if name not in ignore}
    words = [name for name, kind in features.items() if kind == "words"]
    if task == "classes":
        words.insert(0, target)
    numbers = [name for name in rows if name not in {*kinds, *ignore, target}]
    if task == "regression":
        numbers.append(target)
    return [
        *short_years(rows, features, pd.Timestamp.now("UTC")),
        *day_or_month(rows, features),
        *some_offsets(rows, features),
        *merged_cells(rows),
        *sums(rows),
        *alike(rows[words]),
        *sentinels(rows[numbers]),
    ]


def short_years(rows: pd.DataFrame, kinds: Mapping[str, str], today: pd.Timestamp) -> Iterator[str]:
    """Dates whose century is not written."""
    for name, kind in kinds.items():
        if "%y" not in kind:
            continue
        seconds = parsed(rows[name].str.strip(), kind)[0].dropna()
        years = pd.to_datetime(seconds, unit="s").dt.year
        later = int((seconds > today.timestamp()).sum())
        count = f"; {later:,} of {len(rows):,} rows are later than today" if later else ""
        yield (
            f"load.columns: {name}: years of two digits are read as {CENTURY[0]} to "
            f"{CENTURY[-1]}, here {years.min()} to {years.max()}{count}; if a century is wrong, "
            "write years with four digits"
        )


def day_or_month(rows: pd.DataFrame, kinds: Mapping[str, str]) -> Iterator[str]:
    """Dates such as 03/04/2021, which programs of the United States read otherwise."""
    for name, kind in kinds.items():
        if not kind.startswith(("date %d/%m", "date %d-%m")):
            continue
        other = re.sub("%d(.)%m", r"%m\1%d", kind)
        dates = rows[name].dropna().str.strip()
        if parsed(dates, other)[0].notna().all():
            yield (
                f"load.columns: {name}: in `{dates.iloc[0]}` the first number is taken for the "
                f"day, and all rows can be read either way; if it is the month, write `{other}`"
            )


def some_offsets(rows: pd.DataFrame, kinds: Mapping[str, str]) -> Iterator[str]:
    """Times of which some have an offset from UTC, and some have none."""
    for name, kind in kinds.items():
        if kind != "date" or is_numeric_dtype(rows[name]):
            continue
        times = rows[name].dropna().astype(str).str.strip()
        count = int(times.str.contains(OFFSET).sum())
        if 0 < count < len(times):
            yield (
                f"load.columns: {name}: {count:,} of {len(times):,} times have an offset, such as "
                "`Z` or `+02:00`, and the others are read as UTC: write one in all rows, or in none"
            )


def merged_cells(rows: pd.DataFrame) -> Iterator[str]:
    """Columns with a value in the first row of a block alone, as merged cells are exported."""
    for name in rows:
        there = rows[name].notna().to_numpy()
        values = rows[name].dropna()
        if not BLOCKS <= len(values) <= len(rows) / 2 or not there[0]:
            continue
        apart = not (there[1:] & there[:-1]).any()
        changes = (values.iloc[1:].to_numpy() != values.iloc[:-1].to_numpy()).all()
        whole = not is_float_dtype(values) or (values % 1 == 0).all()
        if apart and changes and whole:
            yield (
                f"{name}: {len(rows) - len(values):,} of {len(rows):,} cells are empty, each below "
                f"a value such as `{values.iloc[0]}`, as merged cells are exported: if they mean "
                "the value above them, fill them with it"
            )


def sums(rows: pd.DataFrame) -> Iterator[str]:
    """Words such as `Subtotal`, whose rows may sum up others."""
    for name in rows:
        if is_numeric_dtype(rows[name]):
            continue
        words = rows[name].dropna().astype(str).str.strip().value_counts()
        for word, count in words.items():
            if totals.among([str(word)]):
                yield (
                    f"{name}: `{word}` in {count:,} of {len(rows):,} rows may mean that they sum "
                    "up others, and they are learned as any other row: if so, delete them"
                )


def alike(rows: pd.DataFrame) -> Iterator[str]:
    """Words that differ in case, blanks, a mark at the end or the form of an accent alone."""
    for name in rows:
        words = rows[name].dropna().astype(str).str.strip().value_counts()
        plain = words.index.map(_plain)
        again = plain.duplicated(keep=False)
        if not again.any():
            continue
        found = words[again].groupby(plain[again], sort=False)
        same = [
            " and ".join(
                f"`{word[:20]}` ({count:,} row{'s' * (count > 1)})" for word, count in each.items()
            )
            for _, each in found
        ]
        more = f", and {len(same) - 3} more like them," if same[3:] else ""
        yield (
            f"{name}: {'; '.join(same[:3])}{more} differ in case, blanks, a mark at the end or the "
            "form of an accent alone, and count as different words: write them alike if they mean "
            "the same"
        )


def _plain(word: str) -> str:
    return normalize("NFC", " ".join(word.split()).casefold()).rstrip(".,;:!") or word


def sentinels(rows: pd.DataFrame) -> Iterator[str]:
    """Numbers such as -999 that are far from all others: as far as those are from each other."""
    for name in rows.select_dtypes("number"):
        values = rows[name]
        others = values[~values.isin(SENTINELS)].dropna()
        if others.empty:
            continue
        low, high = others.min(), others.max()
        for number in SENTINELS:
            count = int((values == number).sum())
            far = number < low - (high - low) or number > high + (high - low)
            if far and count > OFTEN * len(values):
                yield (
                    f"{name}: {number} in {count:,} of {len(values):,} rows is far from all other "
                    f"values, {low:.6g} to {high:.6g}, and may stand for missing: if so, leave the "
                    "cells empty"
                )


def owner(rows: pd.DataFrame) -> str | None:
    """The first column that says whose each row is, where several rows are of one."""
    return next((name for name in rows if _is_owner(rows[name])), None)


def is_person(name: str) -> bool:
    """Whether a column's name says of which person, or animal, a row is."""
    return any(word.removesuffix("s") in PERSON for word in _words(name))


def _words(name: str) -> list[str]:
    return [word.lower() for word in WORDS.findall(name)]


def _is_owner(column: pd.Series) -> bool:
    words = _words(str(column.name))
    whose = [word for word in words if word not in ADDED]
    named = len(whose) == 1 and OWNER.fullmatch(whose[0])
    numbered = words[-1:] in (["id"], ["nr"])
    values = column.dropna()
    if not (named or numbered) or (is_float_dtype(values) and (values % 1 != 0).any()):
        return False
    if is_numeric_dtype(values) and values.nunique() <= FAMILY and counted(values):
        return False  # how many children, and not whose
    return FEWEST <= values.nunique() <= len(values) / 2
