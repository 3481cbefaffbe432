"""Numbers as people write them: 1.234,50 and $1,200, (5 %), 3 kg, 12 \u00b1 3, <0.5 and 1h 30m."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

MARKS = (".", ",")  # decimal marks
BLANK = "[ \u00a0\u2009\u202f]"
SIGN = "[-+\u2212\u2013]"
CURRENCY = (
    r"(?:[A-Z]{0,3}[$\u00a2-\u00a5\u058f\u0e3f\u20a0-\u20cf\uff04\uffe5]"
    r"|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|BRL|SEK|NOK|DKK|PLN|CZK|HUF|TRY|MXN|ZAR|RUB|NZD"
    r"|S?Fr\.?|Rs\.?|Rp\.?|kr\.?|z\u0142)"
)
LONGEST = 200  # characters of a number with its unit: patterns take the square of it
DASH = "[-\u2013\u2014]"  # 5.- and 5,-- have no cents
CODE = re.compile(r"[A-Z]{3}")  # of a currency, which may follow its sign: $1,200 USD
# Units that mean the same in capitals, as `mW` and `MW` do not.
CASELESS = {"kg", "kgs", "km", "km/h", "cm", "lb", "lbs", "oz", "ft", "sqft", "sqm", "ha"}
CASELESS |= {"mg/dl", "g/dl", "g/l", "mmol/l", "u/l", "iu/l"}  # of laboratories
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

# What an amount of time is counted in, in seconds. Months and years are those of the calendar's
# 400 years.
SPANS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 7 * 86_400),
    **dict.fromkeys(("mo", "mos", "month", "months"), 2_629_746),
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), 31_556_952),
}
CLOCK = re.compile(r"(?:(\d+):)?(\d+):([0-5]\d(?:[.,]\d+)?)")  # 1:02:30, or 2:30 without hours
SPAN = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z]+)\.?,?\s*", re.IGNORECASE)  # a part of 1h 30m
ISO = re.compile(r"P(?=.*\d)(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:[.,]\d+)?S)?)?")

# That a value lies below or above the number: <0.5, \u2265 3, 85+; as they begin what is around it.
BOUNDS = {"<": "<", "\u2264": "<", ">": ">", "\u2265": ">"}
BOUNDED = (*"<>+",)


class Cell(NamedTuple):
    """A number and what is written around it.

    Args:
        number: with `many` in it, if that is one of MANY, or of an amount of money.
        around: a currency, a percent sign or a unit; before it one of BOUNDED, if the value is
            not the number but lies below or above it.
        many: such as `k` or `M`.
    """

    number: float
    around: str
    many: str = ""


def read(column: pd.Series, decimal: str = ".", bounds: bool = False) -> pd.Series | None:
    """A column as float64, NaN where a value is missing; None if a value is no number.

    Args:
        column: text as it is written, or numbers.
        decimal: the decimal mark: `.` or `,`; the other one may separate thousands.
        bounds: see `parsed`.
    """
    found = parsed(column, decimal, bounds=bounds)
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
    cells = _in_one_span(cells, None)
    around: Counter[str] = Counter()
    for text, one in cells.items():
        if one:
            around[one.around] += counts[text]
    return max(_allowed(around), key=len) if around else ""


def parsed(
    column: pd.Series, decimal: str = ".", unit: str | None = None, bounds: bool = False
) -> pd.Series:
    """A column as float64, NaN where a value is missing or is no number.

    All values have one unit: where most have `kg`, those without, or with another one, are no
    numbers of this column. A currency sign may be left out. Amounts of time such as `2 h`, `45 min`
    and `1:02:30` become those of the shortest unit.

    Args:
        column: text as it is written, or numbers.
        decimal: the decimal mark: `.` or `,`; the other one may separate thousands.
        unit: of the numbers, if they have one at all; empty: they have none. None: what most have.
        bounds: whether `<0.5` and `85+` are 0.5 and 85, if most values are plain numbers.
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
    cells = _in_one_span(cells, unit)
    around = Counter(one.around for one in column[odd].map(cells) if one)
    around[""] += int(found.notna().sum())
    allowed = _allowed(around, unit)
    if bounds:
        allowed |= {bound + each for each in allowed for bound in BOUNDED}
    if "" not in allowed:
        found[:] = np.nan
    known = {
        text: one.number if one and one.around in allowed else np.nan for text, one in cells.items()
    }
    found[odd] = column[odd].map(known).astype(np.float64)
    return found


def cell(text: str, decimal: str) -> Cell | None:
    """One value; None if it is no number."""
    text = text.strip()
    if len(text) > LONGEST:
        return None
    seconds = _seconds(text)
    if seconds is not None:
        return Cell(seconds, "s")
    match = PATTERNS[decimal].fullmatch(text)
    if not match:
        return None
    opened = [match[each] for each in ("open", "inside") if match[each]]  # (350) is -350
    if len(opened) != bool(match["close"]):
        return None
    whole, part = re.sub(r"\D", "", match["whole"] or ""), match["part"] or ""
    before, after = match["before"] or "", (match["after"] or "").strip()
    bound = BOUNDS.get(match["bound"], "")
    if "+" in (after[:1], after[-1:]):
        bound, after = "+", after.strip("+").strip()
    many, money = _many(before, after)
    if before and CODE.fullmatch(after) and not CODE.fullmatch(before):
        before = ""
    if not whole + part or (before and after and not many):
        return None

    signs = [match[sign] for sign in ("sign", "inner", "last") if match[sign]]
    if match["last"] and (len(signs) > 1 or not (match["group"] or part[1:])):
        return None  # 2- is a grade, or 2 and more
    negative = any(sign != "+" for sign in signs)
    number = float(f"{whole or 0}.{part or 0}{match['power'] or ''}")
    if many:
        number = _times(number, MANY.get(_plain(many)) or SHORT[many])
    around = money if many else before or _unit(after)
    return Cell(-number if negative or opened else number, bound + around, many)


def _unit(written: str) -> str:
    """A unit as it is compared: KG is kg."""
    return written.lower() if written.lower() in CASELESS else written


def _seconds(text: str) -> float | None:
    """An amount of time in several units, such as `1:02:30`, `1h 2m` or `PT1H2M`; or None."""
    if match := CLOCK.fullmatch(text):
        hours, minutes, seconds = (
            float((part or "0").replace(",", ".")) for part in match.groups()
        )
        return 3600 * hours + 60 * minutes + seconds if not match[1] or minutes < 60 else None

    is_iso = ISO.fullmatch(text)
    parts = SPAN.findall(text.strip("P").replace("T", "") if is_iso else text)
    whole = is_iso or (len(parts) > 1 and SPAN.sub("", text) == "")
    units = [unit.lower() for _, unit in parts]
    if _in_years(units):
        units = ["mo" if unit == "m" else unit for unit in units]
    lengths = [SPANS.get(unit, 0) for unit in units]
    if not whole or any(a <= b for a, b in pairwise([*lengths, 0])):  # from long ones to short ones
        return None
    return sum(float(part[0].replace(",", ".")) * n for part, n in zip(parts, lengths, strict=True))


def _in_one_span(cells: dict[str, Cell | None], unit: str | None) -> dict[str, Cell | None]:
    """The same cells; amounts of time in this unit, or in the shortest if all of them are some."""
    units = {_bound(one)[1] for one in cells.values() if one} - {""}
    if _in_years({unit} if unit else units):
        cells = {text: one and _of_months(one) for text, one in cells.items()}
        units = {"mo" if each.lower() == "m" else each for each in units}
    if unit is None:
        unit = min(sorted(units), key=_length) if units and all(map(is_time, units)) else ""
    if not is_time(unit):
        return cells
    return {text: one and _converted(one, unit) for text, one in cells.items()}


def _in_years(units: Collection[str]) -> bool:
    """Whether some of the units are months or years, and none is an hour or less but for `m`.

    Beside `80y`, `5m` is five months; beside `2h` it is five minutes.
    """
    lengths = [SPANS.get(each.lower(), 0) for each in units if each.lower() != "m"]
    return bool(lengths) and min(lengths) > SPANS["h"] and max(lengths) >= SPANS["mo"]


def _of_months(one: Cell) -> Cell:
    bound, own = _bound(one)
    return one._replace(around=f"{bound}mo") if own.lower() == "m" else one


def _length(unit: str) -> int:
    return SPANS[unit.lower()]


def _converted(one: Cell, unit: str) -> Cell:
    bound, own = _bound(one)
    if own == unit or not is_time(own):
        return one
    return Cell(one.number * _length(own) / _length(unit), bound + unit)


def _bound(one: Cell) -> tuple[str, str]:
    """One of BOUNDED, or nothing, and the unit."""
    unit = one.around.lstrip("".join(BOUNDED))
    return one.around.removesuffix(unit), unit


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


def is_time(unit: str) -> bool:
    """Whether a unit is one of time."""
    return unit.lower() in SPANS


def is_bound(text: str, decimal: str) -> bool:
    """Whether a text is a number that the value lies below or above, such as `<0.5`."""
    one = cell(text, decimal)
    return one is not None and one.around.startswith(BOUNDED)


def _allowed(around: Counter[str], unit: str | None = None) -> set[str]:
    """What may be written around the numbers of a column: its unit, or what most have."""
    usual = around.most_common(1)[0][0]
    if unit is not None:
        unit = _unit(unit)
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
    money = rf"(?P<before>{CURRENCY})?{BLANK}*(?P<inside>\()?"
    before = rf"(?P<sign>{SIGN})?{BLANK}?{money}(?P<inner>{SIGN})?"
    last = r"(?P<last>[-\u2212\u2013](?![-\u2013\u2014]))?"  # 521,26- is negative
    cents = rf"(?:(?<=[.,]){DASH}{{1,2}}|[.,]{DASH}{{1,2}})?"
    error = rf"(?:{BLANK}?(?:\u00b1|\+/?[-\u2212]){BLANK}?\d+(?:[.,]\d+)?)?"  # of 12 \u00b1 3
    unit = rf"{BLANK}?(?P<after>{UNIT})?(?:/-)?"  # 1,200/- are rupees without paise
    after = rf"(?:(?<=\d){last})?{cents}{error}{unit}"
    about = rf"(?:(?:~|\u2248|[Cc]a\.?){BLANK}?)?"
    bound = rf"{about}(?:(?P<bound>[{''.join(BOUNDS)}])=?{BLANK}?)?"
    return re.compile(rf"{bound}(?P<open>\()?{before}{number}{after}(?P<close>\))?")


PATTERNS = {mark: _pattern(mark) for mark in MARKS}
