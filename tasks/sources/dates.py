"""Dates as people write them: 15. M\u00e4rz 2021, Q3 2021, 2021-W07, 20210315."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from unicodedata import combining, normalize

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

ISO = r"\d{4}-\d\d-\d\d"  # how such dates begin
DIGITS = re.compile("(%[YmdHMS])+")  # a format of dates that are whole numbers
MONTH = "%m.%Y"
CUT = re.compile(r"(\d\d?)\.(\d|\d{3})")  # such a month where a program wrote it as a number
AGES = 2**63 // 10**9  # seconds before 1970 and after it: the year -2024 is no date here
CENTURY = range(1930, 2030)  # of years with two digits, as spreadsheets read them

# Of each month the words of English, German, French, Spanish, Italian, Portuguese and Dutch, and
# some more, in small letters and without accents.
MONTHS = (
    "january jan januar janner janvier janv januari enero ene gennaio gen janeiro",
    "february feb februar fevrier fevr fev februari febrero febbraio fevereiro",
    "march mar marz maerz mrz mars marzo marco maart mrt marts",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag maio mei maj",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug julho",
    "august aug aout agosto ago augustus augusti",
    "september sep sept septembre septiembre settembre set setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez decembre diciembre dic dicembre dezembro",
)
ENGLISH = {word: month.split()[0] for month in MONTHS for word in month.split()}
AS_THEY_ARE = {word for month in ENGLISH.values() for word in (month, month[:3])}
WORD = re.compile(r"[^\W\d_]+(\.(?=\s))?")
WEEKDAY = re.compile(r"\s*([^\W\d_]+)\.?(,\s*|\s+(?=\d\d?\b))")  # in any language
ORDINAL = re.compile(r"(?<=\d)(st|nd|rd|th|er|o|a)\b|\b(of|the|de|del|di)\s+", re.IGNORECASE)


def seconds(column: pd.Series, form: str) -> pd.Series:
    """Seconds since 1970, NaN where a value is missing or no date.

    A date may also be written as ISO 8601 is. Years of two digits are those of CENTURY: were they
    to depend on the rows, or on the day, new rows could be read otherwise.

    Args:
        column: text.
        form: as Python's `strptime` takes it, and `%q` for a quarter; empty: ISO 8601.
    """
    import pandas as pd  # here: it takes a second to import

    if DIGITS.fullmatch(form):  # programs write 20241231.0 if a value of the column is missing
        column = column.map(lambda text: text.removesuffix(".0"), na_action="ignore")
    found = _seconds(_as_python(column, form), _python(form))
    if re.search("%[YyG]", form) and np.isnan(found).any():  # beside it ISO 8601 cannot be misread
        iso = np.isnan(found) & column.astype(str).str.match(ISO).to_numpy(bool)
        found[iso] = _seconds(column[iso], "")
    return pd.Series(found, column.index, name=column.name)


def _seconds(column: pd.Series, form: str) -> np.ndarray:
    import pandas as pd  # here: it takes a second to import

    text = pd.Index(column)
    dates = pd.to_datetime(text, format=form or "ISO8601", errors="coerce", utc=True)
    if "%y" in form:  # of which Python makes 1969 to 2068
        dates = dates.where(dates.year < CENTURY.stop, dates - pd.DateOffset(years=100))
    found = (dates.to_numpy("datetime64[us]") - np.datetime64(0, "us")) / np.timedelta64(1, "s")
    found[text.isin(("now", "today"))] = np.nan  # which pandas takes for dates
    return np.where(np.abs(found) < AGES, found, np.nan)


def written(moment: Any, form: str) -> str:
    """A moment, of `datetime` or pandas, in a form that `seconds` reads."""
    text: str = moment.strftime(form.replace("%q", str((moment.month + 2) // 3)))
    return text


def may_be(text: str, form: str) -> bool:
    """Whether a text may be a date of this form; `seconds`, which says it for sure, is slow."""
    if not form or re.match(ISO, text):
        return True
    try:
        datetime.strptime(_of_python(text, form), _python(form))
    except ValueError:
        return False
    return True


def _as_python(column: pd.Series, form: str) -> pd.Series:
    if not re.search("%[bBqV]", form) and form != MONTH:
        return column
    known = {text: _of_python(str(text), form) for text in column.dropna().unique()}
    return column.map(known, na_action="ignore")


def _python(form: str) -> str:
    """A form that Python knows: quarters are months, weeks begin on Monday."""
    if "%q" in form:
        return "%y-%m" if "%y" in form else "%Y-%m"
    return f"{form} %u" if "%V" in form and "%u" not in form else form


def _of_python(text: str, form: str) -> str:
    """A text in the form that Python knows; empty if it is no quarter and should be."""
    if "%q" in form:
        match = re.fullmatch(_quarters(form), text.strip(), re.IGNORECASE)
        return f"{match['year']}-{3 * int(match['quarter']) - 2}" if match else ""
    if "%V" in form and "%u" not in form:
        return f"{text} 1"
    if form == MONTH and (cut := CUT.fullmatch(text.strip())):
        return f"{cut[1]}.{cut[2]:0<4}"
    return _in_english(text, form) if re.search("%[bB]", form) else text


def _quarters(form: str) -> str:
    pattern = re.escape(form).replace("%q", r"(?P<quarter>[1-4])")
    return pattern.replace("%Y", r"(?P<year>\d{4})").replace("%y", r"(?P<year>\d\d)")


def _in_english(text: str, form: str) -> str:
    """Such as `15 March 2021` for `15 de marzo de 2021`."""

    def month(found: re.Match[str]) -> str:
        word = found[0].rstrip(".").lower()
        english = ENGLISH.get(word)
        if english is None:
            return found[0]
        if word in AS_THEY_ARE:
            return word
        return english if "%B" in form else english[:3]

    plain = "".join(sign for sign in normalize("NFKD", text) if not combining(sign))
    weekday = WEEKDAY.match(plain)
    if weekday and weekday[1].lower() not in ENGLISH and "%a" not in form.lower():
        plain = plain[weekday.end() :]
    return WORD.sub(month, ORDINAL.sub("", plain))
