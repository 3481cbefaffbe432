"""Numbers as people write them."""

import pytest

from tasks.core.digits import digits


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (4134912.4, "4,135,000"),
        (-17944.0, "-17,940"),
        (1234.5, "1234"),
        (0.88461, "0.8846"),
        (0.0000123456, "1.235e-05"),
        (3e18, "3e+18"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_a_number_has_four_digits_and_no_exponent_that_people_would_not_write(value, says):
    assert digits(value) == says


def test_more_digits_may_be_asked_for():
    assert digits(4134912.4, 6) == "4,134,910"
