"""Numbers as people write them: 1.234,50 and $1,200 and (5 %) and 3 kg."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pandas as pd

MARKS = (".", ",")  # decimal marks
BLANK = "[ \u00a0\u2009\u202f]"
SIGN = "[-+\u2212\u2013]"
CURRENCY = (
    r"(?:[A-Z]{0,3}[$\u00a2-\u00a5\u058f\u0e3f\u20a0-\u20cf\uff04\uffe5]"
    r"|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|BRL|SEK|NOK|DKK|PLN|Rs\.?|kr\.?|z\u0142)"
)
UNIT = r"[^\d\s.,()\[\]/:_-][^\d()]{0,11}"

# What a number is multiplied by, whatever else is in its column; and what may be a unit as well,
# such as metres, unless the number is money, or other such words are in the column.
MANY = {
    **dict.fromkeys(("k", "tsd", "thousand"), 1e3),
    **dict.fromkeys(("mn", "mio", "million", "millions", "millionen"), 1e6),
    **dict.fromkeys(("bn", "mrd", "billion", "billions", "milliarden"), 1e9),
    **{"lakh": 1e5, "crore": 1e7, "trillion": 1e12},
}
SHORT = {"K": 1e3, "M": 1e6, "m": 1e6, "B": 1e9, "b": 1e9, "G": 1e9}
TIMES = re.compile(rf"(?P<many>[A-Za-z]+?)\.?{BLANK}?(?P<money>{CURRENCY})?")
SHORTENED = "K, M or B"  # the unit of a column that has several of SHORT


class Cell(NamedTuple):
    """A number and what is written around it.

    Args:
        number: with `many` in it, if that is one of MANY, or of an amount of money.
        around: a currency, a percent sign or a unit.
        many: such as `k` or `M`.
    """

    number: float
    around: str
    many: str = ""


def read(column: pd.Series, decimal: str = ".") -> pd.Series | None:
    """A column as float64, NaN where a value is missing; None if a value is no number.

    Args:
        column: text as it is written, or numbers.
        decimal: the decimal mark: `.` or `,`; the other one may separate thousands.
    """
    found = parsed(column, decimal)
    return None if (found.isna() & column.notna()).any() else found


def unit(column: pd.Series, decimal: str = ".") -> str:
    """What stands around the numbers of a column, such as `kg` or `$`; empty: nothing.

    Args:
        column: as for `parsed`.
        decimal: the decimal mark.
    """
    if pd.api.types.is_numeric_dtype(column):
        return ""
    counts = {str(text): count for text, count in column.value_counts().items()}
    cells = {text: cell(text, decimal) for text in counts}
    if _are_shortened(cells.values()):
        return SHORTENED
    around: Counter[str] = Counter()
    for text, one in cells.items():
        if one:
            around[one.around] += counts[text]
    return max(_allowed(around), key=len) if around else ""


def parsed(column: pd.Series, decimal: str = ".", unit: str | None = None) -> pd.Series:
    """A column as float64, NaN where a value is missing or is no number.

    All values have one unit: where most have `kg`, those without, or with another one, are no
    numbers of this column. A currency sign may be left out.

    Args:
        column: text as it is written, or numbers.
        decimal: the decimal mark: `.` or `,`; the other one may separate thousands.
        unit: of the numbers, if they have one at all; empty: they have none. None: what most have.
    """
    found = pd.Series(np.nan, column.index, np.float64, name=column.name)
    if decimal == "." or pd.api.types.is_numeric_dtype(column):
        found = pd.to_numeric(column, errors="coerce").astype(np.float64)
    odd = found.isna() & column.notna()
    if not odd.any():
        return found

    cells = {text: cell(str(text), decimal) for text in column[odd].unique()}
    if unit == SHORTENED or (unit is None and _are_shortened(cells.values())):
        cells = {text: one and _multiplied(one) for text, one in cells.items()}
        unit = ""
    around = Counter(one.around for one in column[odd].map(cells) if one)
    around[""] += int(found.notna().sum())
    allowed = _allowed(around, unit)
    if "" not in allowed:
        found[:] = np.nan
    known = {
        text: one.number if one and one.around in allowed else np.nan for text, one in cells.items()
    }
    found[odd] = column[odd].map(known).astype(np.float64)
    return found


def cell(text: str, decimal: str) -> Cell | None:
    """One value; None if it is no number."""
    match = PATTERNS[decimal].fullmatch(text.strip())
    if not match or bool(match["open"]) != bool(match["close"]):
        return None
    whole, part = re.sub(r"\D", "", match["whole"] or ""), match["part"] or ""
    before, after = match["before"] or "", (match["after"] or "").strip()
    many, money = _many(before, after)
    if not whole + part or (before and after and not many):
        return None

    negative = any(match[sign] in ("-", "\u2212", "\u2013") for sign in ("sign", "inner"))
    number = float(f"{whole or 0}.{part or 0}{match['power'] or ''}")
    if many:
        number = _times(number, MANY.get(_plain(many)) or SHORT[many])
    around = money if many else before or after
    return Cell(-number if negative or match["open"] else number, around, many)


def _many(before: str, after: str) -> tuple[str, str]:
    """The word behind a number that multiplies it, such as `k`, and its currency; or neither."""
    match = TIMES.fullmatch(after)
    if not match or (before and match["money"]):
        return "", ""
    money, many = before or match["money"] or "", match["many"]
    known = _plain(many) in MANY or (money and many in SHORT)
    return (many, money) if known else ("", "")


def _plain(many: str) -> str:
    return many.lower() if len(many) > 1 else many  # K may be kelvin


def _are_shortened(cells: Iterable[Cell | None]) -> bool:
    """Whether a column has several of SHORT, or one and some of MANY, and no other unit."""
    there = [one for one in cells if one]
    units = {one.around for one in there} - {""}
    return bool(units) and units <= {*SHORT} and len(units | {one.many for one in there} - {""}) > 1


def _multiplied(one: Cell) -> Cell:
    if one.around not in SHORT:
        return one
    return Cell(_times(one.number, SHORT[one.around]), "", one.around)


def _times(number: float, factor: float) -> float:
    """The nearest number to the product: 1.1 million is 1100000, not 1100000.0000000001."""
    return float(Decimal(repr(number)) * Decimal(factor))


def expected(unit: str) -> str:
    """What numbers of a unit are called in messages."""
    return f"finite numbers in {unit}" if unit else "finite numbers"


def is_plain(text: str) -> bool:
    """Whether a text is a number, with either decimal mark and with nothing around it."""
    found = [cell(text, mark) for mark in MARKS]
    return any(one is not None and not one.around for one in found)


def is_money(around: str) -> bool:
    """Whether what is written around a number is a currency."""
    return re.fullmatch(CURRENCY, around) is not None


def _allowed(around: Counter[str], unit: str | None = None) -> set[str]:
    """What may be written around the numbers of a column: its unit, or what most have."""
    usual = around.most_common(1)[0][0]
    if unit is not None:
        usual = unit if around[unit] else ""
    if is_money(usual):
        return {usual, ""}
    money = [each for each, _ in around.most_common() if is_money(each) and not unit]
    return {usual, *money[:1]} if usual == "" else {usual}


def _pattern(decimal: str) -> re.Pattern[str]:
    """A number with this decimal mark; thousands in groups of three, or in India of two."""
    other = MARKS[decimal == "."]
    group = rf"(?P<group>[{other}'\u2019]|{BLANK})"
    whole = rf"[1-9]\d{{0,2}}{group}\d{{3}}(?:(?P=group)\d{{3}})*|\d+"
    if decimal == ".":
        whole += r"|[1-9]\d?(?:,\d{2})+,\d{3}"
    number = rf"(?P<whole>{whole})?(?:{re.escape(decimal)}(?P<part>\d*))?(?P<power>[eE][-+]?\d+)?"
    before = rf"(?P<sign>{SIGN})?{BLANK}?(?P<before>{CURRENCY})?{BLANK}?(?P<inner>{SIGN})?"
    after = rf"{BLANK}?(?P<after>{UNIT})?"
    return re.compile(rf"(?P<open>\()?{before}{number}{after}(?P<close>\))?")


PATTERNS = {mark: _pattern(mark) for mark in MARKS}
