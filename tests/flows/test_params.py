"""`params.yaml` is checked as a whole before anything runs.

Each mistake is one line: where it is, what was found, what is allowed.
"""

from __future__ import annotations

import re

import pytest

from flows.project import params
from flows.project.folder import Project
from flows.project.form import form
from flows.project.steps import STEPS, step
from tasks.core.step import UserError

PROJECT = Project.here()
SHIPPED = PROJECT.params_file.read_text(encoding="utf-8")


def resolved() -> str:
    """The shipped pipelines with every key written out, as YAML, without comments."""
    lines = ["pipelines:"]
    for pipeline, sections in params.pipelines(PROJECT.params_file).items():
        lines.append(f"  {pipeline}:")
        for section, keys in sections.items():
            lines.append(f"    {section}:")
            lines += [f"      {key}: {written(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def written(value) -> str:
    words = {"None": "null", "True": "true", "False": "false"}
    return words.get(str(value), str(value))


FULL = resolved()
LOAD = FULL[FULL.index("    load:") : FULL.index("    normalize:")]
BUILD = FULL[FULL.index("    build:") : FULL.index("    compile:")]
OPTIMIZERS = "`adam`, `adamw`, `nadam`, `adamax`, `adagrad`, `rmsprop`, `sgd`, `lion`"

# What the file has for fashion (the first pipeline), what is put in its place, and a regular
# expression for each line of the message.
MISTAKES = {
    "unknown section": (
        "    build:",
        "    biuld:\n      a: 1\n    build:",
        [
            r"fashion\.biuld: unknown key\. Did you mean `build`\? Known here: load, "
            r"normalize, visualize, build, "
        ],
    ),
    "misspelt section": (
        "    evaluate:",
        "    evalute:",
        [
            r"fashion\.evaluate: missing\.",
            r"fashion\.evalute: unknown key\. Did you mean `evaluate`\?",
        ],
    ),
    "unknown key": (
        "      epochs: 20",
        "      epochs: 20\n      epoch: 20",
        [
            r"fashion\.fit\.epoch: unknown key\. Did you mean `epochs`\? Known here: epochs, "
            r"batch_size, "
        ],
    ),
    "unknown key with no neighbour": (
        "      epochs: 20",
        "      epochs: 20\n      zzz: 1",
        [r"fashion\.fit\.zzz: unknown key\. Known here: epochs, batch_size, "],
    ),
    "key in a section without keys": (
        "    build:",
        "    reload_best:\n      rows: 2\n    build:",
        [r"fashion\.reload_best\.rows: unknown key\. Known here: no key at all\."],
    ),
    "missing key": (
        "      batch_size: 32\n",
        "",
        [r"fashion\.fit\.batch_size: missing\. Every key must be there"],
    ),
    "missing section": (LOAD, "", [r"fashion\.load: missing\."]),
    "section that is a list": (
        "timeouts: {'load': 600}",
        "timeouts: [1]",
        [r"fashion\.run\.timeouts: got \[1\], expected a"],
    ),
    "no time": (
        "'load': 600",
        "'load': 0",
        [r"fashion\.run\.timeouts\.load: got 0, expected a number above 0"],
    ),
    "time of no step": (
        "'load': 600",
        "'laod': 600",
        [r"fashion\.run\.timeouts\.laod: unknown key. Did you mean `load`"],
    ),
    "text for number": (
        "epochs: 20",
        "epochs: twenty",
        [r"fashion\.fit\.epochs: got 'twenty', expected a whole"],
    ),
    "number in quotes": (
        "epochs: 20",
        "epochs: '20'",
        [r"fashion\.fit\.epochs: got '20', expected a whole number"],
    ),
    "fraction for whole number": (
        "epochs: 20",
        "epochs: 2.5",
        [r"fashion\.fit\.epochs: got 2\.5, expected a whole"],
    ),
    "bool for whole number": (
        "epochs: 20",
        "epochs: true",
        [r"fashion\.fit\.epochs: got true, expected a whole num"],
    ),
    "bool for number": (
        "learning_rate: 0.001",
        "learning_rate: true",
        [r"fashion\.compile\.learning_rate: got true, expected a number,? above 0\."],
    ),
    "number for bool": (
        "jit_compile: true",
        "jit_compile: 1",
        [r"fashion\.fit\.jit_compile: got 1, expected true"],
    ),
    "number for text": (
        "folder: null",
        "folder: 3",
        [r"fashion\.load\.folder: got 3, expected a text,? or null\."],
    ),
    "negative epochs": (
        "epochs: 20",
        "epochs: -1",
        [r"fashion\.fit\.epochs: got -1, .* above 0 and at most 1"],
    ),
    "zero batch_size": (
        "batch_size: 32",
        "batch_size: 0",
        [r"fashion\.fit\.batch_size: got 0, .* above 0 and at"],
    ),
    "endless": (
        "epochs: 20",
        f"epochs: {10**30}",
        [rf"fashion\.fit\.epochs: got {10**30}, .* at most {10**9}\."],
    ),
    "batch of all the world": (
        "batch_size: 32",
        f"batch_size: {10**30}",
        [rf"fashion\.fit\.batch_size: got {10**30}, .* at most {10**12}\."],
    ),
    "zero learning_rate": (
        "learning_rate: 0.001",
        "learning_rate: 0",
        [r"fashion\.compile\.learning_rate: got 0, expected .* above 0"],
    ),
    "unknown optimizer": (
        "optimizer: adam",
        "optimizer: adan",
        [
            rf"fashion\.compile\.optimizer: got 'adan', expected .*{OPTIMIZERS}\. Did you mean "
            rf"`adam`\?"
        ],
    ),
    "optimizer in capitals": (
        "optimizer: adam",
        "optimizer: SGD",
        [r"got 'SGD', expected .* Did you mean `sgd`\?"],
    ),
    "unknown loss": (
        "loss: auto",
        "loss: categorical_cross_entropy",
        [
            r"fashion\.compile\.loss: got '.*', expected .*`huber`, .* Did you mean "
            r"`categorical_crossentropy`\?"
        ],
    ),
    "null seed": (
        "seed: 0\n      jit",
        "seed: null\n      jit",
        [r"fashion\.fit\.seed: got null, expected a whole num"],
    ),
    "negative seed": (
        "seed: 0\n    visualize",
        "seed: -1\n    visualize",
        [r"fashion\.normalize\.seed: got -1, expected .* at least 0"],
    ),
    "min_accuracy above 1": (
        "min_accuracy: 0.87",
        "min_accuracy: 87",
        [
            r"fashion\.evaluate\.min_accuracy: got 87, expected a number,? at least 0(,| and) "
            r"at most 1,? or null\."
        ],
    ),
    "misspelt choice beside a number": (
        "validation: 10000",
        "validation: tests",
        [
            r"fashion\.normalize\.validation: got 'tests', expected a whole number above 0, "
            r"or .*`test`.* mean `test`\?"
        ],
    ),
    "neither share nor number of rows": (
        "validation: 10000",
        "validation: 1.5",
        [
            r"fashion\.normalize\.validation: got 1\.5, .* number above 0, or a number above "
            r"0 and below 1, or"
        ],
    ),
    "text for near": (
        "near: 0.014",
        "near: 'no'",
        [r"fashion\.visualize\.near: got 'no', expected .* or null\."],
    ),
    "number for a list": (
        "hidden: [1024",
        "hidden: 7 # [",
        [r"fashion\.build\.hidden: got 7, expected a list"],
    ),
    "text in a list of numbers": (
        "predict: null",
        "predict: [1, ten]",
        [r"fashion\.evaluate\.predict\.1: got 'ten', expected a number\."],
    ),
    "infinite learning_rate": (
        "learning_rate: 0.001",
        "learning_rate: .inf",
        [r"fashion\.compile\.learning_rate: got inf, expected a number"],
    ),
    "predict at no number": (
        "predict: null",
        "predict: [.nan]",
        [r"fashion\.evaluate\.predict\.0: got nan, ex"],
    ),
    "misspelt auto": (
        "output_units: auto",
        "output_units: aut",
        [
            r"fashion\.build\.output_units: got 'aut', expected a whole number.* Did you mean "
            r"`auto`\?"
        ],
    ),
    "no such family": (
        "family: mlp",
        "family: mpl",
        [
            r"fashion\.build\.family: got 'mpl', expected `mlp`, `table`, `cnn`, "
            r"`linear`, `function`\. Did you mean `mlp`\?"
        ],
    ),
    "no family": (
        "family: mlp",
        "#",
        [r"fashion\.build\.family: missing\. Expected `mlp`, `table`, `cnn`, `linear`, `func"],
    ),
    "family without its keys": (
        "family: mlp",
        "family: cnn",
        [rf"fashion\.build\.{key}: missing\." for key in ("filters", "convolutions", "head")],
    ),
    "key of another family": (
        "family: mlp",
        "family: mlp\n      filters: [8]",
        [
            r"fashion\.build\.filters: unknown key\. Known here: family, output_units, "
            r"output_activation, hidden, "
        ],
    ),
    "function that is a path": (
        BUILD,
        "    build:\n      family: function\n      function: models/mine.py\n",
        [
            r"fashion\.build\.function: got 'models/mine\.py', expected a text like "
            r"`models\.example:residual`\."
        ],
    ),
    "no filters": (
        BUILD,
        BUILD.replace("mlp", "cnn\n      filters: []\n      convolutions: 3\n      head: average"),
        [
            r"fashion\.build\.filters: got \[\], expected a list with content, each of it a "
            r"whole number above 0 and",
            r"fashion\.build\.convolutions: got 3, expected `1`, `2`\.",
        ],
    ),
    "all left out": (
        "dropout: 0",
        "dropout: 1",
        [r"fashion\.build\.dropout: got 1, expected a number.* below 1\."],
    ),
    "misspelt schedule": (
        "schedule: constant",
        "schedule: onecycle",
        [
            r"fashion\.fit\.schedule: got 'onecycle', expected `constant`, `cosine`, "
            r"`one_cycle`\. .*`one_cycle`\?"
        ],
    ),
    "no patience": (
        "patience: null",
        "patience: 0",
        [r"fashion\.fit\.patience: got 0, .* above 0, or null\."],
    ),
    "misspelt class_weights": (
        "class_weights: null",
        "class_weights: balance",
        [
            r"fashion\.fit\.class_weights: got 'balance', expected `balanced`, or a list, "
            r"each of it .* `balanced`\?"
        ],
    ),
    "number as a key": (
        "epochs: 20",
        "epochs: 20\n      3: 4",
        [r"fashion\.fit\.3: unknown key\."],
    ),
    "null as a key": (
        "epochs: 20",
        "epochs: 20\n      null: 4",
        [r"fashion\.fit\.null: unknown key\."],
    ),
    "two mistakes": (
        "batch_size: 32",
        "batch_size: 0\n      zzz: 1",
        [r"fashion\.fit\.batch_size: got 0, expected", r"fashion\.fit\.zzz: unknown key\."],
    ),
    **{
        f"hidden with {value}": (
            "hidden: [1024, 512",
            f"hidden: [1024, {value}",
            [
                rf"fashion\.build\.hidden\.1: got {found}, expected a whole number above 0 and "
                rf"at most 1000000000\."
            ],
        )
        for value, found in (
            ("0", "0"),
            ("-5", "-5"),
            ("big", "'big'"),
            ("2.5", r"2\.5"),
            ("true", "true"),
            ("1000000000000", "1000000000000"),
        )
    },
}

# The whole content of the file, and the message.
FILES = {
    "not a mapping": ("- fashion\n- linear\n", r"no pipeline `fashion`\. It has: nothing\."),
    "a text": ("fashion\n", r"no pipeline `fashion`\."),
    "empty": ("", r"no pipeline `fashion`\. It has: nothing\."),
    "only a comment": ("# nothing\n", r"no pipeline `fashion`\."),
    "pipelines that are a list": (
        "pipelines: [fashion]\n",
        r"no pipeline `fashion`\. It has: noth",
    ),
    "pipeline without content": (
        "pipelines:\n  fashion:\n",
        r"pipelines\.fashion: got null, expected a section with keys\.",
    ),
    "list never closed": (
        SHIPPED.replace("hidden: [1024, 512, 256, 128, 64]", "hidden: [1024", 1),
        r", line \d+, column \d+: not YAML: ",
    ),
    "tab": ("fashion:\n\tload: 1\n", r", line 2, column 1: not YAML: the line begins with a tab\."),
    "key twice": (
        "fashion: 1\nlinear: 1\nfashion: 2\n",
        r", line 3, column 1: not YAML: found duplicate key",
    ),
    "key twice beside a merge": (
        SHIPPED.replace("      <<: *fit\n", "      <<: *fit\n      epochs: 4\n", 1).replace(
            "      <<: *fit\n", "      <<: *fit\n      epochs: 3\n", 1
        ),
        r", line \d+, column 7: not YAML: found duplicate key \"epochs\"",
    ),
    "number as a pipeline": ("pipelines: {3: 4}\n", r"no pipeline `fashion`\. It has: 3\."),
    "control character": ("fashion: \x00\n", r"not YAML: .*control characters are not allowed"),
    "tag that does not fit": ("fashion: !!int x\n", r"not YAML: "),
    "not UTF-8": (b"fashion: \xff\n", r"not YAML: .*(utf|UTF)-8"),
    "anchor that is nowhere": (
        "pipelines:\n  fashion: {fit: *fit}\n",
        r"not YAML: found undefined",
    ),
    "aliases of aliases": (
        "a: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"b{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
        + SHIPPED.replace("[1024, 512, 256, 128, 64]", "*a8", 1),
        r"more than 1,000,000 when aliases",
    ),
    "alias of itself": ("a: &a [*a]\n", r"nested more than 50 deep"),
    "nested far too deep": (f"a: {'[' * 20_000}{']' * 20_000}\n", r"nested more than 50 deep"),
    "section that is an alias": (
        SHIPPED.replace("    compile:\n      <<: *adam\n", "    compile: *adam\n", 1),
        r"pipelines\.fashion\.compile is `\*adam`, one section for all pipelines\..*`<<: \*adam`\.",
    ),
}


@pytest.fixture
def write(tmp_path):
    """Write a `params.yaml` that is read instead of the project's."""

    def to_file(content: str | bytes) -> None:
        file = tmp_path / "params.yaml"
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    to_file.project = Project(tmp_path)
    return to_file


def message(project: Project, pipeline: str = "fashion") -> str:
    with pytest.raises(UserError) as caught:
        project.read(pipeline)
    assert not re.search(r"pydantic|Input should|Keys should|validation error", str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_one_line_with_its_place_and_what_is_allowed(write, mistake):
    before, after, expected = MISTAKES[mistake]
    assert before in FULL
    write(FULL.replace(before, after, 1))
    lines = message(write.project).splitlines()
    assert len(lines) == len(expected), lines
    for line, pattern in zip(lines, expected, strict=True):
        assert line.startswith("params.yaml: pipelines.fashion.")
        assert len(line) < 260
        assert re.search(pattern, line), line


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_cannot_be_understood_is_one_line(write, kind):
    content, pattern = FILES[kind]
    write(content)
    said = message(write.project)
    assert re.match(rf"params\.yaml.*{pattern}", said), said
    assert len(said.splitlines()) == 1


def test_missing_file_says_how_to_get_it_back(write):
    assert message(write.project) == (
        "params.yaml is missing. `git checkout params.yaml` brings it back."
    )


def test_unknown_pipeline_names_those_that_are_there_and_the_nearest():
    assert message(PROJECT, "fasion") == (
        "params.yaml: no pipeline `fasion`. Did you mean `fashion`? "
        "It has: fashion, fashion-cnn, linear."
    )


def test_a_mistake_in_one_pipeline_does_not_stop_another(write):
    write(FULL.replace("epochs: 20", "epochs: -1", 1))
    assert write.project.read("linear").fit.epochs == 1200


@pytest.mark.parametrize("pipeline", PROJECT.pipelines())
def test_shipped_parameters_are_valid(pipeline):
    found = PROJECT.read(pipeline)
    assert tuple(type(found).model_fields) == (*STEPS, "run")
    for name in STEPS:
        assert type(getattr(found, name)) in step(name).sections


def test_no_shipped_section_is_an_alias_that_all_pipelines_share():
    assert not re.search(r"^ +\w+: \*", SHIPPED, re.MULTILINE)


def test_a_pipeline_overrides_what_it_merges():
    assert PROJECT.read("fashion").build.hidden == [1024, 512, 256, 128, 64]
    assert PROJECT.read("fashion").normalize.validation == 10000
    assert PROJECT.read("fashion").compile.learning_rate == 0.001
    assert PROJECT.read("fashion-cnn").compile.learning_rate == 0.002


@pytest.mark.parametrize(
    ("pipeline", "key", "limit"), [("fashion", "max_mse", 0.1), ("linear", "min_accuracy", 0.5)]
)
def test_a_criterion_that_cannot_be_measured_is_refused_before_anything_runs(
    write, pipeline, key, limit
):
    begin = FULL.index(f"\n  {pipeline}:")
    write(FULL[:begin] + FULL[begin:].replace(f"{key}: null", f"{key}: {limit}", 1))
    with pytest.raises(UserError, match=rf"evaluate\.{key} cannot be measured"):
        write.project.read(pipeline)


def test_a_whole_number_is_a_number(write):
    write(FULL.replace("learning_rate: 0.001", "learning_rate: 1", 1))
    assert write.project.read("fashion").compile.learning_rate == 1.0


def test_parameters_cannot_be_changed_after_they_were_checked():
    with pytest.raises(ValueError, match="frozen"):
        PROJECT.read("linear").fit.epochs = 5


def test_the_form_has_a_list_to_choose_from_where_a_switch_could_not_be_left_out():
    schema = form().model_json_schema()
    parts = [
        each
        for part in schema["$defs"].values()
        for key in part["properties"].values()
        for each in key.get("anyOf", [key])
    ]
    assert not [each for each in parts if "const" in each or "default" in each]
    assert not [each for each in parts if each.get("type") == "boolean"]

    fit = schema["$defs"]["fit_parameters"]["properties"]
    words, numbers, null = fit["class_weights"]["anyOf"]
    assert (words, null) == ({"enum": ["balanced"], "type": "string"}, {"type": "null"})
    assert numbers["type"] == "array"
    assert fit["flip"]["enum"] == [True, False]


def test_the_form_tells_null_from_what_was_left_out():
    given = {"fit": {"class_weights": None, "flip": False}, "load": {}}
    assert form().model_validate(given).model_dump() == given
    for key in ("epochs", "flip"):
        with pytest.raises(ValueError, match=key):
            form().model_validate({"fit": {key: None}})


def test_every_parameter_says_what_it_means():
    for name in STEPS:
        for section in step(name).sections:
            for key, field in section.model_fields.items():
                assert field.description or key in ("family",), f"{name}.{key}"
