"""`card.md`: a page for whoever gets the model, or finds it in a code host."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

from ruamel.yaml import YAML

from tasks.card.facts import Facts
from tasks.card.markdown import code, table, text
from tasks.core.digits import digits
from tasks.scores.criterion import nothing_learned

NOT_STATED = "Not stated."
WORST = 3  # classes that are named
# Of the scores on the test rows, those that are in the table, as a reader knows them.
SCORES = {
    "accuracy": "accuracy",
    "accuracy_without_leaked": "accuracy without leaked rows",
    "balanced_accuracy": "balanced accuracy",
    "top2_accuracy": "right class among the first two",
    "macro_f1": "macro F1",
    "roc_auc": "area under the ROC curve",
    "pr_auc": "area under the precision-recall curve, of two classes that of the rarer one",
    "mse": "mean squared error",
    "mse_without_leaked": "mean squared error without leaked rows",
    "mae": "mean absolute error",
    "r2": "R²",
}


def page(facts: Facts, use: str, limits: str, license: str) -> str:
    """The whole page.

    Args:
        facts: what is known.
        use, limits, license: what only a person knows; empty: not stated.
    """
    parts = [
        f"---\n{_head(facts, license)}---",
        f"# {text(facts.name)}",
        _summary(facts),
        "![Learning curve and test results](card.png)",
        f"## Use\n\n{use.strip() or NOT_STATED}",
        f"## Limits\n\n{limits.strip() or NOT_STATED}",
        *_weaknesses(facts),
        f"## How good it is\n\n{_scores(facts)}",
        *_classes(facts),
        _calibration(facts),
        f"## The data\n\n{_data(facts)}",
        f"## How it was trained\n\n{_training(facts)}",
        f"## Use it\n\n{_commands(facts)}",
        f"## License\n\n{license.strip() or NOT_STATED}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(facts: Facts, license: str) -> str:
    """The head that Hugging Face reads."""
    kind = "regression" if facts.regression else "classification"
    task = f"image-{kind}" if facts.image and not facts.regression else f"tabular-{kind}"
    metric = {"type": facts.score, "value": facts.metrics[f"test_{facts.score}"]}
    load = facts.sections["load"]
    given = PurePath(load["path"]).stem
    name = load["source"] if given == "built-in" else given
    data = {"name": name, "type": load["source"], "split": "test"}
    result = {
        "task": {"type": task},
        "dataset": data,
        "metrics": [metric],
    }
    head: dict[str, Any] = {"license": license.strip()} if license.strip() else {}
    head |= {
        "library_name": "keras",
        "pipeline_tag": task,
        "tags": ["keras", "dvc"],
        "model-index": [{"name": facts.name, "results": [result]}],
    }
    written, yaml = io.StringIO(), YAML()
    yaml.default_flow_style = False
    yaml.dump(head, written)
    return written.getvalue()


def _summary(facts: Facts) -> str:
    rows, metrics = facts.schema["rows"]["test"], facts.metrics
    if facts.regression:
        what = f"This model predicts a number from {_rows(facts)}."
        how = f"its mean squared error is {digits(metrics['test_mse'])}"
    else:
        names = facts.schema["class_names"]
        said = _listed(map(text, names))
        what = f"This model tells {len(names)} classes of {_rows(facts)} apart: {said}."
        how = f"{metrics['test_accuracy']:.1%} of its answers are right"
    leaked = metrics.get("leaked_rows", 0)
    seen = f"{leaked:,} of which are training rows too" if leaked else "which it had not seen"
    return f"{what} On {rows:,} test rows, {seen}, {how}{_between(facts)}."


def _rows(facts: Facts) -> str:
    shape = facts.schema["input_shape"]
    if not facts.image:
        columns = len(facts.schema.get("columns", ()))
        what, count = ("column", columns) if columns else ("feature", shape[0])
        return f"rows of {count} {what}{'s' * (count != 1)}"
    color = "color " if len(shape) > 2 and shape[2] > 1 else "gray "
    return f"{color}images of {shape[0]} x {shape[1]} pixels"


def _between(facts: Facts) -> str:
    name = f"test_{facts.score}"
    if f"{name}_low" not in facts.metrics:
        return ""
    low, high = facts.metrics[f"{name}_low"], facts.metrics[f"{name}_high"]
    ends = f"{digits(low)} to {digits(high)}" if facts.regression else f"{low:.1%} to {high:.1%}"
    return f" (95% interval {ends})"


def _weaknesses(facts: Facts) -> Iterator[str]:
    """What the files say against the model."""
    found = [f"- {text(each['check'])}: {text(each['says'])}" for each in _warned(facts)]
    worst = sorted(facts.classes, key=lambda row: float(row["f1"] or 0))[:WORST]
    if len(facts.classes) > WORST:
        names = (f"{text(row['class'])} (F1 {row['f1'] or 0})" for row in worst)
        found.insert(0, f"- It is weakest for {_listed(names)}.")
    if said := nothing_learned(facts.metrics):
        found.insert(0, f"- {said}.")
    if facts.metrics.get("passed") is False:
        found.insert(0, "- It did NOT reach what was asked of it.")
    if found:
        yield "What the checks found:\n\n" + "\n".join(found)


def _warned(facts: Facts) -> list[dict[str, Any]]:
    return [each for each in facts.checks if each["result"] == "warning"]


def _scores(facts: Facts) -> str:
    rows = []
    for name, title in SCORES.items():
        key = f"test_{name}"
        if key not in facts.metrics:
            continue
        ends = [facts.metrics.get(f"{key}_{end}") for end in ("low", "high")]
        interval = " to ".join(digits(end) for end in ends if end is not None)
        rows.append((title, digits(facts.metrics[key]), interval))
    scores = table(("on the test rows", "score", "95% interval"), rows)

    simpler = facts.metrics.get("baselines") or {}
    if not simpler:
        return scores
    said = _listed(f"{name} {digits(score)}" for name, score in simpler.items())
    return f"{scores}\n\nSimpler models on the same rows, by the first score: {said}."


def _classes(facts: Facts) -> Iterator[str]:
    if facts.classes:
        yield table(facts.classes[0], (map(text, row.values()) for row in facts.classes))


def _calibration(facts: Facts) -> str:
    error = facts.metrics.get("test_ece")
    if error is None:
        return ""
    return (
        f"Its confidence differs from the share of right answers by {error:.1%} on average "
        "(expected calibration error, 15 bins)."
    )


def _data(facts: Facts) -> str:
    load, rows = facts.sections["load"], facts.schema["rows"]
    place = PurePath(load["path"])
    shown = place.name if place.is_absolute() else place.as_posix()
    parts = {
        "source": f"{code(load['source'])}, {code(shown)}",
        "hash (MD5 of `raw.npz`)": f"`{facts.data}`",
        "rows": f"{rows['train']:,} to train, {rows['val']:,} for validation, {rows['test']:,} "
        "to test",
    }
    checked = [(text(each["check"]), each["result"], text(each["says"])) for each in facts.checks]
    found = table(("check", "result", "found"), checked)
    return f"{table(('', ''), parts.items())}\n\n{found}"


def _training(facts: Facts) -> str:
    metrics = facts.metrics
    epochs = f"{facts.epochs} epoch{'s' * (facts.epochs != 1)}"
    chosen = f"Of {epochs} the weights of epoch {metrics['best_epoch']} were kept"
    rows = "training" if facts.sections["fit"]["monitor"] == "loss" else "validation"
    chosen += f": its loss on the {rows} rows was the lowest"
    if "val_loss" in metrics:
        chosen += f". On the validation rows it was {digits(metrics['val_loss'])}"
    settings = {
        code(f"{step}.{key}"): code(json.dumps(value))
        for step in ("normalize", "build", "compile", "fit")
        for key, value in facts.sections.get(step, {}).items()
    }
    made = _listed(f"{name} {number}" for name, number in facts.environment["versions"].items())
    parameters = table(("parameter", "value"), settings.items())
    return f"{chosen}. It was made with {made}.\n\n{parameters}"


def _commands(facts: Facts) -> str:
    name = facts.name
    proof = facts.proof
    return f"""\
From the project's folder, at this commit:

```sh
dvc pull -d release/dvc.yaml:export@{name}     # the files, if a remote has them
python -m flows train {name}                   # or make them again: the same bytes
python -m flows export {name}
python -m flows predict {name} FILE --to answers.csv
python -m flows serve {name}
```

`data/{name}/export` is all that another program needs. The exported file ({proof["format"]}) gave \
the answers of the model to {proof["rows"]:,} test rows; {proof["differ"]} labels differ."""


def _listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
