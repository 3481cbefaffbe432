"""Numbers as people write them: what is read, and what is no number of its column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tasks.sources import numbers

READ = {  # by the decimal mark
    ".": {
        "1,234.5": 1234.5,
        "12,345,678": 12345678,
        "12,34,567": 1234567,  # as in India
        "Rs. 1,200/-": 1200,
        "\u20b9 500/-": 500,
        "$1,200": 1200,
        "-$3.50": -3.5,
        "($4.20)": -4.2,
        "US$ 5": 5,
        "EUR 7.25": 7.25,
        "1'234.50": 1234.5,
        "1 234": 1234,
        "\u22126.5": -6.5,
        "8.5 %": 8.5,
        "+9 kg": 9,
        "3.2e3": 3200,
        "20 °C": 20,
        "10,000+": 10000,
        "3k": 3000,
        "-1.1 million": -1_100_000,
        "2.5bn": 2.5e9,
        "$1.2M": 1_200_000,
        "€750K": 750_000,
        "(US$ 3m)": -3_000_000,
        "1.5M USD": 1_500_000,
        "20 K": 20,  # kelvin
        "12.5 \u00b1 0.3": 12.5,
        "12.5 +/- 0.3 mg": 12.5,
        "<0.5": 0.5,
        "~70": 70,
        "ca. 3 kg": 3,
        "\u2265 3 mg": 3,
        "$1M+": 1_000_000,
        "26:10": 1570,
        "1:02:30.5": 3750.5,
        "2h 15m": 8100,
        "1 day, 2 hours": 93_600,
        "1y 2m": 36_816_444,  # months
        "1y 2m 3d": 37_075_644,
        "2d 5m": 173_100,  # minutes
        "PT1H30M": 5400,
        "$1,200 USD": 1200,
        "$ (1,200.50)": -1200.5,
        "$   1,200.50": 1200.5,
        "$(3)": -3,
        "-$3.50 CAD": -3.5,
        "Fr. 900": 900,
        "Fr. 1'900.-": 1900,
        "SFr 12.50": 12.5,
        "1,200.50-": -1200.5,
        "5.00- EUR": -5,
        "1,200-": -1200,
        "900.--": 900,
        "7.\u2013": 7,
    },
    ",": {
        "1.234,5": 1234.5,
        "16.455": 16455,
        "0,25 €": 0.25,
        "1\u202f234,75": 1234.75,
        "7,5 kr": 7.5,
        ",5": 0.5,
        "12%": 12,
        "1,2 Mio. €": 1_200_000,
        "3 Tsd. EUR": 3000,
        "5,00-": -5,
        "1.521,26-": -1521.26,
        "12,- €": 12,
        "Fr. 900.-": 900,
    },
}
NONE = {
    ".": [
        "1,5",
        "1,23",
        "12,3456",
        "1.2.3",
        "a",
        "",
        ".",
        "1-2",
        "10/2",
        "0,123",
        "(5",
        "12 345 6",
        "$3M USD",
        "$3 kg",
        "16:9",
        "1:75:00",
        "3m 2h",
        "P5",
        "3+4",
        "2-",  # a grade, or 2 and more
        "2.5-",
        "-5.00-",
        "5.00--",
        "$5 kg",
        "($(5)",
        "$(5",
        "$ 5)",
        "EUR 5 USD",
    ],
    ",": ["1.5", "12.34", "0.123", "1,2,3", "01.02.2020", "1.2345"],
}


@pytest.mark.parametrize("mark", numbers.MARKS)
def test_a_number_is_read_as_it_is_meant(mark):
    found = {text: numbers.cell(text, mark) for text in READ[mark]}
    assert {text: one and one.number for text, one in found.items()} == READ[mark]
    assert [text for text in NONE[mark] if numbers.cell(text, mark)] == []


def test_plain_numbers_have_the_bits_that_pandas_gives_them():
    random = np.random.default_rng(0)
    texts = [f"{value:.17g}" for value in random.normal(size=500) * 10.0 ** random.integers(-9, 9)]
    expected = pd.to_numeric(pd.Series(texts)).to_numpy()
    np.testing.assert_array_equal(numbers.read(pd.Series(texts)).to_numpy(), expected)


@pytest.mark.parametrize(
    ("values", "bad"),
    [
        (["3 kg", "4 kg", None], []),
        (["3 kg", "4 kg", "5"], ["5"]),
        (["3 kg", "4 kg", "5 lb"], ["5 lb"]),
        (["3", "4", "5%"], ["5%"]),
        (["$3", "$4", "5"], []),  # a currency may be left out
        (["3", "4", "$5", "$6"], []),
        (["$3", "$4", "€5"], ["€5"]),
        (["1,000", "20", "?"], ["?"]),
        (["$1.2M", "$300k", "$90"], []),
        (["$1.2M", "€300k", "$3"], ["€300k"]),
        (["1.2M", "300K", "512"], []),
        (["1.2M", "300k", "512"], []),
        (["15M", "700K", "2G"], []),
        (["20 K", "30 K", "40"], ["40"]),  # of kelvin
        (["1.2M", "3M", "300K", "5 kg"], ["300K", "5 kg"]),
        (["2 years", "1 year", "3 weeks"], []),
        (["2h 5m", "45m", "3 m 2 s"], []),
        (["5 m", "3 km"], ["3 km"]),
        (["3 kg", "4 KG", "5 Kg"], []),
        (["90 mg/dl", "95 mg/dL", "99 MG/DL"], []),
        (["3 mW", "4 mW", "5 MW"], ["5 MW"]),
        (["$3 USD", "$4 USD", "$5 CAD"], ["$5 CAD"]),
        (["$3 USD", "$4 USD", "$5"], ["$5"]),
        (["3,00-", "4.50-", "5.00"], ["3,00-"]),
        (["1", "2", "<0.5"], ["<0.5"]),
        (["1 h", "30"], ["30"]),
    ],
)
def test_the_values_of_a_column_have_one_unit(values, bad):
    column = pd.Series(values, dtype=object)
    found = numbers.parsed(column)
    assert column[found.isna() & column.notna()].tolist() == bad
    assert (numbers.read(column) is None) == bool(bad)


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (["3 kg", "4 kg", None], "kg"),
        (["3", "4", None], ""),
        ([3, 4.5, None], ""),
        (["3", "4", "$5"], "$"),
        (["8 %", "9%"], "%"),
        (["1.2M", "300K", "512"], numbers.SHORTENED),
        (["3k", "4000"], ""),
        (["$1.2M", "$300k"], "$"),
        ([None, None], ""),
        (["2 years", "3 weeks"], "weeks"),
        (["2h 5m", "45m"], "s"),
        (["45 m", "30 m"], "m"),
        (["1 mg", "<1 mg", "2 mg"], "mg"),
    ],
)
def test_a_column_has_the_unit_of_its_numbers(values, unit):
    assert numbers.unit(pd.Series(values, dtype=object if values[0] != 3 else None)) == unit


@pytest.mark.parametrize(
    ("unit", "values", "bad"),
    [
        ("kg", ["3 kg", "4 kg"], []),
        ("kg", ["3", "4"], []),  # without any unit
        ("kg", ["3 g", "4 g"], ["3 g", "4 g"]),
        ("kg", ["3 kg", "4 g", "5"], ["4 g", "5"]),
        ("", ["3 kg", "4 kg"], ["3 kg", "4 kg"]),
        ("", ["5%"], ["5%"]),
        ("", ["$3", "4"], []),
        ("$", ["$3", "4"], []),
        ("$", ["\u20ac3", "4"], ["\u20ac3"]),
        ("+", ["10+"], []),
        (numbers.SHORTENED, ["2M", "3"], []),
        (numbers.SHORTENED, ["3 kg"], ["3 kg"]),
        ("", ["2M"], ["2M"]),
        ("s", ["1:02:30", "45 min", "5 kg"], ["5 kg"]),
        ("h", ["90 min"], []),
        ("", ["90 min"], ["90 min"]),
    ],
)
def test_more_numbers_have_the_unit_of_a_column_or_none(unit, values, bad):
    column = pd.Series(values, dtype=object)
    found = numbers.parsed(column, unit=unit)
    assert column[found.isna()].tolist() == bad


def test_a_shortened_number_is_the_same_whatever_else_is_in_its_column():
    column = pd.Series(["1.1M", "300K", "2.5 bn", "512"])
    unit = numbers.unit(column)
    expected = [1_100_000, 300_000, 2.5e9, 512]
    assert numbers.parsed(column).tolist() == expected
    assert [numbers.parsed(column[[row]], unit=unit).item() for row in range(4)] == expected


def test_amounts_of_time_are_in_the_unit_of_the_column():
    column = pd.Series(["2 weeks", "3 days", "1 week", None])
    assert numbers.parsed(column)[:3].tolist() == [14, 3, 7]
    assert numbers.parsed(column[:1], unit="days").item() == 14


@pytest.mark.parametrize(
    ("values", "bad"),
    [
        (["1", "2", "<0.5"], []),
        (["60", "61", "85+"], []),
        (["1 mg", "<0.5 mg", "2 mg"], []),
        (["1 mg", "<0.5 kg", "2 mg"], ["<0.5 kg"]),
        (["<=50K", ">50K", ">50K"], ["<=50K"]),  # two classes, not 50
        (["<1", "<2", "3"], ["3"]),  # mostly unknown
    ],
)
def test_a_bound_is_a_number_among_numbers(values, bad):
    column = pd.Series(values)
    found = numbers.parsed(column, bounds=True)
    assert column[found.isna()].tolist() == bad


def test_numbers_that_are_read_already_stay_as_they_are():
    column = pd.Series([1.5, np.nan, 16.455])
    for mark in numbers.MARKS:
        pd.testing.assert_series_equal(numbers.read(column, mark), column)


def test_a_text_of_very_many_digits_is_no_number():
    assert numbers.cell("1" * 100, ".").number == float("1" * 100)
    assert numbers.cell("1" * 300, ".") is None  # patterns would take the square of its length


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        (["1y", "2y", "6m"], None, [12, 24, 6]),
        (["6m", "2y"], "mo", [6, 24]),  # new rows
        (["6m"], "y", [0.5]),
        (["2h", "6m"], None, [120, 6]),
        (["6m", "30m"], None, [6, 30]),  # metres as well
    ],
)
def test_m_beside_years_is_a_month(values, unit, expected):
    found = numbers.parsed(pd.Series(values), unit=unit)
    np.testing.assert_allclose(found, expected)
