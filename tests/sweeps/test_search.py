"""What Optuna proposes is a function of space, seed and results, whichever trial ends first."""

from __future__ import annotations

from flows.project.sweeps import Range
from tasks.sweeps.search import Search

SPACE = {
    "compile.learning_rate": Range(low=1e-4, high=1e-1, log=True),
    "fit.batch_size": [16, 32],
    "fit.epochs": Range(low=2, high=9, log=False),
    "build.hidden": [[4], [8, 8]],
}


def value(values: dict) -> float:
    return values["compile.learning_rate"] * values["fit.epochs"] + len(values["build.hidden"])


def made(space=SPACE, search="tpe", used=None, **how) -> Search:
    usual = {"seed": 0, "first": 4, "maximize": False}
    return Search(space, used or (lambda family: list(space)), search, **{**usual, **how})


def proposed(search: Search, rounds: int = 4, backwards: bool = False) -> list[dict]:
    found: dict[int, dict] = {}
    for first in range(1, 4 * rounds, 4):
        new = search.ask(range(first, first + 4))
        found |= new
        results = {number: value(new[number]) for number in (reversed(new) if backwards else new)}
        for number in sorted(results):
            search.tell(number, "done", results[number])
    return list(found.values())


def test_the_same_seed_proposes_the_same_and_another_seed_something_else():
    assert proposed(made()) == proposed(made(), backwards=True)
    assert proposed(made()) != proposed(made(seed=1))


def test_values_are_those_of_the_space_and_short():
    for values in proposed(made()):
        assert list(values) == list(SPACE)
        assert 1e-4 <= values["compile.learning_rate"] <= 1e-1
        assert f"{values['compile.learning_rate']:.4g}" in repr(values)
        assert values["fit.batch_size"] in (16, 32)
        assert isinstance(values["fit.epochs"], int)
        assert values["build.hidden"] in ([4], [8, 8])


def test_tpe_learns_what_random_does_not():
    learned = [value(values) for values in proposed(made(), rounds=12)[24:]]
    drawn = [value(values) for values in proposed(made(search="random"), rounds=12)[24:]]
    assert sorted(learned)[12] < sorted(drawn)[12]


def test_a_failed_trial_and_one_that_was_stopped_early_are_told_too():
    search = made()
    search.ask(range(1, 4))
    search.report(2, 3, 0.5)
    search.tell(1, "failed", None)
    search.tell(2, "stopped early", 0.5)
    search.tell(3, "done", 0.1)
    assert search.ask(range(4, 5))
    assert search.importance() == {}, "two trials do not tell what mattered"


def test_a_grid_has_each_combination_once():
    space = {"fit.batch_size": [16, 32], "build.hidden": [[4], [8]]}
    search = made(space, "grid")
    found = list(search.ask(range(1, 10)).values())
    assert len(found) == 4
    assert {"fit.batch_size": 32, "build.hidden": [4]} in found
    assert search.ask(range(5, 7)) == {}


def test_a_family_has_its_own_keys_alone():
    space = {"build.hidden": [[4], [8]], "build.family": ["mlp", "linear"], "fit.epochs": [1]}

    def used(family: str | None) -> list[str]:
        return [key for key in space if key != "build.hidden" or family == "mlp"]

    for search in ("grid", "random"):
        found = list(made(space, search, used).ask(range(1, 9)).values())
        assert {"build.family", "fit.epochs"} in [set(values) for values in found]
        for values in found:
            assert ("build.hidden" in values) == (values["build.family"] == "mlp")
    assert len(list(made(space, "grid", used).ask(range(1, 9)))) == 3


def test_the_importance_is_a_share_of_each_key():
    search = made()
    proposed(search)
    shares = search.importance()
    assert set(shares) == set(SPACE)
    assert abs(sum(shares.values()) - 1) < 1e-6
    again = made()
    proposed(again)
    assert again.importance() == shares
