"""What each column of a table is, by its values: number, boolean, words, date, or no feature."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype, is_numeric_dtype

from tasks.rows.encoding import RARE
from tasks.rows.leaks import counts
from tasks.sources import dates, numbers
from tasks.sources.kinds import BOOLEANS, parsed

COUNTERS = ("id", "index", "row", "no", "nr")  # names of columns that only number the rows
NAMELESS = "Unnamed: "  # what pandas calls a column without a name begins so
IDENTIFIER = re.compile(r"(?i:(^|[ _.-])(id|nr|key))$|(?<=[a-z])(Id|ID|Nr|Key)$")  # their ends
TIMES = re.compile(  # these rise, and mean something
    r"year|month|week|day|date|time|hour|minute|period|datum|monat|jahr", re.IGNORECASE
)
COMMON = math.ceil(RARE / 0.64)  # rows with a word: of these, 64 % are trained on
NEARLY = "nearly numbers"  # why a column is left out that has a line of its own
MANY = 0.5  # of the rows: more different words than this are names of the rows
SEVERAL = 0.1  # of the numbers: so many with another unit than the others are no mistakes
FEW = 20  # words that look like numbers are words, if there are at most so many different ones

DAYS = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d"),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y"),
    *("%d. %B %Y", "%d. %b %Y", "%d. %m. %Y", "%d.%b.%Y", "%d-%B-%Y", "%B %d %Y"),
    *("%b %d %Y", "%b %d, %Y", "%B %d, %Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y"),
    *("%b-%d-%Y", "%m/%Y", "%m.%Y", "%d%b%Y", "%a %d %b %Y", "%A, %d %B %Y", "%A, %B %d, %Y"),
    "%Y\u5e74%m\u6708%d\u65e5",  # as in China and Japan
)
PERIODS = (  # months, quarters and weeks, as statistics offices write them
    *("%m-%Y", "%Y/%m", "%Y.%m", "%YM%m", "%Y-M%m", "%Y %B", "%Y %b", "%Y-%b", "%Y%b"),
    *("%Y-Q%q", "%YQ%q", "%Y Q%q", "%Y/Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y", "Q%q%Y", "%qQ%Y"),
    *("%qQ%y", "Q%q %y", "Q%q'%y", "%q. Quartal %Y", "%Y-T%q", "T%q %Y"),
    *("%G-W%V", "%GW%V", "%G W%V", "%G-W%V-%u", "%GW%V%u", "W%V %G", "W%V-%G", "W%V/%G"),
    *("KW%V %G", "KW %V %G", "KW%V/%G", "KW %V/%G", "%G-KW%V"),
)
CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p")
FORMATS = [
    "",
    *DAYS,
    *(
        f"{day}{between}{clock}"
        for clock in (*CLOCKS, "%Hh%M")
        for between in (" ", ", ")
        for day in DAYS
    ),
    *PERIODS,
    *CLOCKS,
    *("%a, %d %b %Y %H:%M:%S %z", "%a %b %d %H:%M:%S %Y"),  # of mails, and of C
    "%d/%b/%Y:%H:%M:%S %z",  # of web servers
]
# Of dates that are whole numbers, such as 20240131, by the number of digits.
DIGITS = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
YEARS = (1800, 2100)  # in which such dates lie
SEVERAL_MONTHS = 3  # that numbers such as 3.2024 name, if their column's name says nothing of time
TRIED = 50  # values on which a format is tried before it is on all
# What only dates have: a year and another number, or three numbers.
DATED = r"(?<!\d)(?:1[89]|20)\d\d(?!\d).*\d|\d.*(?<!\d)(?:1[89]|20)\d\d(?!\d)|\d[./-]\d\d?[./-]\d"
SHORT = 40  # letters of a date, at most
# Numbers and what is between them, such as 120/80, 12 3/8 and 48\u00b051' N.
AMOUNT = r"[^\w]*\d+[.,]?\d*(?:(?:[^\w]+|\s*[a-z\u00b5]{1,4}\W*)\d+[.,]?\d*)+\W*[A-Za-z]{0,4}$"


def kind(column: pd.Series) -> str:
    """What a column is, as `load.columns` says it."""
    if is_bool_dtype(column):
        return "boolean"
    if is_numeric_dtype(column):
        form = number_date_format(column)
        return f"date {form}" if form else "number"

    values = pd.Series(column.dropna().astype(str).str.strip().unique())
    if len(values) > 1 and values.str.lower().isin(list(BOOLEANS)).all():
        return "boolean"
    form = date_format(values)
    return "words" if form is None else f"date {form}".strip()


def date_format(values: pd.Series) -> str | None:
    """The first format in which all values are dates; empty for ISO 8601, None if there is none."""
    if not values.str.contains(r"\d").mean() > 0.9:
        return None
    for form in FORMATS:
        tried = dates.may_be(values.iloc[0], form)
        if tried and all(_all_dates(part, form) for part in (values[:TRIED], values)):
            return form
    return None


def number_date_format(column: pd.Series) -> str | None:
    """The format of dates that are numbers, such as 20240131 or 1.2024; None if they are none."""
    name, values = str(column.name), pd.Series(column.dropna().unique())
    named = is_counter(name) or IDENTIFIER.search(name)
    if named or len(values) < 2:
        return None
    if not (values == values.round()).all():
        return dates.MONTH if _are_dotted_months(values, bool(TIMES.search(name))) else None

    form = DIGITS.get(len(f"{values.min():.0f}"))
    if form is None or (form == "%Y%m" and not TIMES.search(name)):
        return None  # a postal code or a price may look like a month
    year = 10 ** (len(f"{values.min():.0f}") - 4)
    if values.min() < YEARS[0] * year or values.max() >= (YEARS[1] + 1) * year:
        return None
    text = values.map("{:.0f}".format)
    return form if all(_all_dates(part, form) for part in (text[:TRIED], text)) else None


def _are_dotted_months(values: pd.Series, named: bool) -> bool:
    """Whether numbers are months such as 03.2024, which is 3.2024."""
    month, year = values // 1, (values * 10_000).round() % 10_000
    exact = values == values.map("{:.4f}".format).astype(float)
    all_months = (month.between(1, 12) & year.between(*YEARS) & exact).all()
    return bool(all_months and (named or month.nunique() >= SEVERAL_MONTHS))


def are_codes(values: pd.Series) -> bool:
    """Whether texts are codes, such as 02139: all of so many digits, and some begin with 0.

    Many different ones of two digits are numbers rather, such as the minutes of an hour.
    """
    text = values.dropna().astype(str).str.strip()
    if is_numeric_dtype(values) or not len(text) or TIMES.search(str(values.name)):
        return False
    width = len(text.iloc[0])
    if width < 2 or (width == 2 and text.nunique() > FEW):
        return False
    same = text.str.fullmatch(f"[0-9]{{{width}}}").all()
    return bool(same and text.str.startswith("0").any())


def is_counter(name: str) -> bool:
    """Whether a column's name says that it only numbers the rows."""
    return name.lower() in COUNTERS or name.startswith(NAMELESS)


def _has_parts(values: pd.Series) -> bool:
    """Whether values are numbers, and not all of them whole, as numbers of rows are."""
    return bool(is_float_dtype(values) and (values % 1 != 0).any())


def _all_dates(values: pd.Series, form: str) -> bool:
    return bool(parsed(values, f"date {form}".strip())[0].notna().all())


def left_out(column: pd.Series, kind: str, decimal: str = ".") -> str:
    """Why a column is no feature; empty if it may be one."""
    name, values = str(column.name), column.dropna()
    if not len(values):
        return "no value in any row"
    if name.startswith(NAMELESS) and not values.is_unique:
        return "a column without a name: give it one to use it"
    if is_counter(name) and not _has_parts(values):  # NO may be nitric oxide
        unique = values.is_unique
        return "numbers of the rows" if unique else f"called {name}, as numbers of the rows are"
    if kind == "number":
        if nearly_numbers(values, decimal):
            return NEARLY
        counted = len(column) > 1 and counts(column.to_numpy(np.float64))
        numbered = counted and not TIMES.search(name)
        named = IDENTIFIER.search(name) and values.nunique() == len(column)
        return "numbers of the rows" if numbered or named else ""
    if kind != "words":
        return ""

    words = values.value_counts()
    if nearly_numbers(values, decimal) and len(words) > FEW:
        return NEARLY
    holes = len(column) - len(values)
    if len(words) < 2 and min(words.iloc[0], holes) < COMMON:  # else it is a mark, such as `x`
        return f"no word but `{words.index[0][:20]}`, in {len(values):,} of {len(column):,} rows"
    advice = otherwise(words.index)
    if len(words) > MANY * len(values):
        return f"{len(words):,} different words in {len(values):,} rows{advice}"
    if words.iloc[0] < COMMON:
        return f"no word is in more than {words.iloc[0]} of {len(values):,} rows{advice}"
    return ""


def otherwise(words: pd.Index) -> str:
    """What to do, if words may be dates or amounts in a form that is not read."""
    if are_codes(words.to_series()):
        first = f", such as `{min(words)}`"
        return f"{first}: codes, as some begin with 0; if they are numbers, do not ignore them"
    short = words.str.len() <= SHORT
    if (words.str.contains(DATED) & short).mean() >= 0.9:
        return f", such as `{words[0]}`: if they are dates, write them as 2024-12-31"
    if (words.str.match(AMOUNT) & short).mean() >= 0.9:
        return f", such as `{words[0]}`: if they are amounts, write each as one number"
    return ""


def nearly_numbers(values: pd.Series, decimal: str = ".") -> str:
    """What keeps a column from being numbers, such as `3 kg`, if most are some; else nothing."""
    rows, values = len(values), values.dropna()
    if is_numeric_dtype(values) and not np.isinf(values).any():
        return ""
    wrong = ~np.isfinite(numbers.parsed(values, decimal).to_numpy())
    values = values.astype(str)
    cells = values.map({text: numbers.cell(text, decimal) for text in values.unique()})
    like = cells.notna() | values.str.fullmatch(r"[-+]?[\d.,' ]+")
    if not wrong.any() or like.mean() <= 0.5:
        return ""
    units = cells.dropna().map(lambda one: one.around.lstrip("".join(numbers.BOUNDED)))
    if cells.notna().all() and wrong.mean() > SEVERAL and units.nunique() > 1:
        units = units.map(lambda one: f"`{one}`" if one else "no unit")
        return f"numbers in more than one unit: {_counted(units.value_counts())}"
    odd = values[wrong]
    first = f"row {odd.index[0] + 1:,}"
    counts = odd.str.strip().value_counts()
    if counts.max() == 1:
        more = f"; {len(odd):,} of {rows:,} rows have such values" if len(odd) > 1 else ""
        return f"'{odd.iloc[0][:20]}' in {first}{more}"
    if len(counts) == 1:
        return f"'{counts.index[0][:20]}' in {len(odd):,} of {rows:,} rows, the first in {first}"
    shown = _counted(counts.rename(lambda text: f"'{text[:20]}'"))
    return f"{shown}, in {len(odd):,} of {rows:,} rows in all, the first in {first}"


def _counted(counts: pd.Series) -> str:
    """The first values with their counts."""
    shown = ", ".join(f"{value} in {count:,}" for value, count in counts[:3].items())
    left = len(counts) - 3
    return shown + (f", {left:,} more such value{'s' * (left > 1)}" if left > 0 else "")
