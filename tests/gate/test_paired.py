"""The tests of the gate: beside textbook values, and by how often they are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tasks.core.step import UserError
from tasks.gate import paired
from tasks.gate.rule import Rule, check_rule

RULE = Rule(level=0.05, margin=0, must="better")


@pytest.mark.parametrize(("gained", "lost"), [(16, 4), (4, 16), (0, 0), (700, 600)])
def test_mcnemars_mid_p_is_the_binomials(gained, lost):
    count = gained + lost
    expected = stats.binom.sf(gained, count, 0.5) + stats.binom.pmf(gained, count, 0.5) / 2
    assert paired.mcnemar(gained, lost) == pytest.approx(expected)


def test_tangos_test_without_a_margin_is_mcnemars_without_its_correction():
    assert paired.tango(30, 15, 1000, 0.0) == pytest.approx(stats.norm.sf(15 / 45**0.5))


def test_a_loss_as_large_as_the_margin_is_accepted_in_5_of_100_cases():
    random, rows = np.random.default_rng(0), 1_000
    drawn = random.multinomial(rows, [0.05, 0.07, 0.88], size=2_000)
    found = [paired.tango(gained, lost, rows, -0.02) < 0.05 for gained, lost, _ in drawn]
    assert 0.035 < np.mean(found) < 0.065


@pytest.mark.parametrize(
    ("must", "margin", "gained", "lost", "better"),
    [
        ("better", 0, 60, 40, True),
        ("better", 0, 52, 48, False),
        ("better", 0.02, 60, 40, False),
        ("better", 0.01, 90, 40, True),
        ("not_worse", 0.02, 50, 50, True),
        ("not_worse", 0.01, 40, 50, False),
        ("not_worse", 0.01, 0, 0, True),
    ],
)
def test_the_rule_decides(must, margin, gained, lost, better):
    rows = 1_000
    actual = np.full(rows, "yes")
    new, champions = actual.copy(), actual.copy()
    champions[:gained] = "no"
    new[gained : gained + lost] = "no"
    verdict = paired.of_classes(actual, new, champions, Rule(level=0.05, margin=margin, must=must))
    assert verdict.better is better
    assert f"it alone is right in {gained}, the champion alone in {lost}" in verdict.says


@pytest.mark.parametrize("gain", [0.1, 0.7, 1 / 3])
def test_draws_with_an_equal_mean_count_though_their_sums_are_rounded(gain):
    directions = np.random.default_rng(1).permutation([1.0] * 21 + [-1.0] * 10)
    assert paired.signs(gain * directions) == paired.signs(directions)


@pytest.mark.parametrize("rows", [30, 300])
def test_equal_regressions_are_promoted_in_5_of_100_cases(rows):
    random = np.random.default_rng(rows)
    promoted = 0
    for _ in range(200):
        errors = random.standard_t(4, (2, rows))
        promoted += paired.of_regression(np.zeros(rows), *errors, RULE).better
    assert 1 <= promoted <= 20


def test_a_better_regression_is_seen_and_its_p_is_always_the_same():
    random = np.random.default_rng(0)
    near, far = random.normal(0, 1, 500), random.normal(0, 1.3, 500)
    first, second = (paired.of_regression(np.zeros(500), near, far, RULE) for _ in range(2))
    assert first.better
    assert first == second
    worse = paired.of_regression(np.zeros(500), far, near, RULE)
    assert not worse.better


def test_a_margin_that_must_be_exceeded_is_in_the_unit_of_the_score():
    random = np.random.default_rng(0)
    near, far = random.normal(0, 1, 500), random.normal(0, 1.3, 500)
    rule = Rule(level=0.05, margin=1.0, must="better")
    assert not paired.of_regression(np.zeros(500), near, far, rule).better


def test_few_rows_and_a_margin_of_nothing_are_refused():
    with pytest.raises(UserError, match="29 test rows are too few to compare two regressions"):
        paired.of_regression(*np.zeros((3, 29)), RULE)
    with pytest.raises(UserError, match=r"release\.fashion\.promote: `must: not_worse` with"):
        check_rule(Rule(level=0.05, margin=0, must="not_worse"), "fashion")
