"""`dvc.yaml` and the laws of the house against the code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flows.project.folder import Project
from flows.project.steps import RELEASE, STEPS, step
from tasks.core.code import code
from tasks.core.folder import Folder

PROJECT = Project.here()
ROOT = PROJECT.root
STAGES, AFTER = (
    YAML(typ="safe").load(ROOT / file)["stages"] for file in ("dvc.yaml", "release/dvc.yaml")
)
SWEEPS = AFTER.pop("sweep")  # is no step
EVERY = {**STAGES, **AFTER}
CODE = [path for folder in ("flows", "tasks") for path in sorted((ROOT / folder).rglob("*.py"))]

# Each room may import from those below it. What stands on one line is side by side.
FLOORS = [
    ["flows.__main__", "flows.fashion", "flows.linear"],
    ["flows.command"],
    ["flows.batch_predict", "flows.promote", "flows.sweep"],
    ["flows.pipeline", "flows.predict", "flows.stage"],
    ["flows.turn"],
    ["flows.guess", "flows.inference"],
    ["flows.server", "flows.engine"],
    ["flows.memory"],
    ["flows.project"],
    [
        *(f"tasks.{name}" for name in STEPS),
        *("tasks.answers", "tasks.gate", "tasks.release", "tasks.sweeps"),
    ],
    ["tasks.card", "tasks.drift", "tasks.exports"],
    ["tasks.sources", "tasks.families", "tasks.training", "tasks.scores", "tasks.pictures"],
    ["tasks.rows", "tasks.network"],
    ["tasks.core"],
]


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """The project's modules that a file imports, wherever in it, but for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [n for n in tree.body if not (isinstance(n, ast.If) and "TYPE" in ast.dump(n.test))]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.partition(".")[0] in ("flows", "tasks")}


def floor(module: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room(module) in rooms)


def test_nothing_imports_upwards_and_rooms_side_by_side_have_no_circle():
    beside = set()
    for path in CODE:
        own = name_of(path)
        for other in imports(path):
            if own in ("flows", "tasks") or room(other) == room(own):
                continue
            assert floor(own) <= floor(other), f"{own} imports {other}, which is above it"
            if floor(own) == floor(other):
                beside.add((room(own), room(other)))
    assert not {(one, other) for one, other in beside if (other, one) in beside}


def test_modules_import_each_other_without_a_circle():
    graph = {name_of(path): imports(path) for path in CODE}
    modules = {
        name: {other if other in graph else other.rpartition(".")[0] for other in others}
        for name, others in graph.items()
    }
    done: set[str] = set()
    while len(done) < len(modules):
        free = {n for n, needs in modules.items() if n not in done and needs - {n} <= done}
        assert free, f"a circle among {sorted(set(modules) - done)}"
        done |= free


def test_no_step_imports_another_and_none_imports_a_flow():
    for name in STEPS:
        files = code(name)
        assert not [file for file in files if file.startswith("flows/")]
        assert not [o for o in STEPS if o != name and f"tasks/{o}.py" in files]


def test_no_test_imports_another():
    """What several of them need is in tests/support."""
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = (isinstance(node, ast.ImportFrom) and node.module) or ""
            assert not (module.startswith("tests.") and ".test_" in module), f"{path}: {module}"


def test_tasks_are_the_eight_steps_and_their_rooms():
    files = {path.stem for path in (ROOT / "tasks").glob("*.py")} - {"__init__"}
    assert files == set(STEPS)


def test_one_room_talks_to_dvc_and_one_to_prefects_server():
    dvc, client = set(), set()
    for path in CODE:
        text = path.read_text(encoding="utf-8")
        if "import dvc" in text or "from dvc" in text:
            dvc.add(room(name_of(path)))
        if "prefect.client" in text or "prefect.artifacts" in text:
            client.add(room(name_of(path)))
    assert dvc == {"flows.memory"}
    assert client == {"flows.server"}


def test_one_module_calls_git():
    asks = [path.name for path in CODE if '["git", ' in path.read_text(encoding="utf-8")]
    assert asks == ["git.py"]


def test_a_steps_file_is_light():
    """Only NumPy, pydantic and the standard library at its top; TensorFlow where it is needed."""
    heavy = {"tensorflow", "keras", "pandas", "matplotlib", "sklearn", "scipy", "PIL"}
    for name in STEPS:
        tree = ast.parse((ROOT / f"tasks/{name}.py").read_text(encoding="utf-8"))
        for node in tree.body:
            modules = [alias.name for alias in getattr(node, "names", [])]
            modules.append(getattr(node, "module", None) or "")
            assert not heavy & {module.partition(".")[0] for module in modules}


def test_every_package_has_an_init():
    for folder in ("flows", "tasks", "models", "tests"):
        for path in [ROOT / folder, *(ROOT / folder).rglob("*")]:
            if path.is_dir() and path.name != "__pycache__" and list(path.glob("*.py")):
                assert (path / "__init__.py").is_file(), path


def test_nobody_asks_for_the_current_directory():
    for path in CODE:
        text = path.read_text(encoding="utf-8")
        assert not [word for word in ("getcwd", "Path.cwd", "chdir") if word in text], path


def test_the_eight_steps_are_modules_functions_stages_and_test_files():
    assert tuple(STAGES) == STEPS
    for name in STEPS:
        assert step(name).function.__name__ == name
        assert (ROOT / "tests" / f"test_{name}.py").is_file()


def test_what_follows_the_steps_has_a_graph_of_its_own():
    assert tuple(AFTER) == RELEASE
    assert all(stage["foreach"] == "${release}" for stage in AFTER.values())
    assert all(stage["do"]["wdir"] == ".." for stage in AFTER.values())


@pytest.mark.parametrize("name", EVERY)
def test_a_stage_names_the_rooms_that_its_step_imports_from_and_no_other(name):
    named = {dep for dep in EVERY[name]["do"]["deps"] if dep.startswith("tasks")}
    files = code(step(name).place)
    whole = [file for file in files if file.count("/") == 1 or "/release/" in file]
    assert named == {file if file in whole else file.rpartition("/")[0] for file in files}


@pytest.mark.parametrize("name", EVERY)
def test_a_stage_names_every_parameter_of_its_step(name):
    named = set(EVERY[name]["do"].get("params", []))
    if step(name).tag:  # each source has its own keys: the section as a whole
        assert named == {f"pipelines.${{key}}.{name}"}
        return
    (section,) = step(name).sections
    own = {f"{name}.{key}" for key in section.model_fields}
    part = "release" if name in RELEASE else "pipelines"
    more = {
        "evaluate": {"fit.threads"},  # the answers of the model depend on it
        "card": {"load", "normalize", "build", "compile", "fit"},  # it lists them
    }.get(name, set())
    expected = {f"{part}.${{key}}.{key}" for key in own}
    assert named == expected | {f"pipelines.${{key}}.{key}" for key in more}


def test_the_graph_is_made_from_the_pipelines_and_needs_no_edit_for_a_new_one():
    assert all(stage["foreach"] == "${pipelines}" for stage in STAGES.values())
    assert "${item.load.path}" in STAGES["load"]["do"]["deps"]
    assert not [name for name in PROJECT.pipelines() if f"data/{name}" in str(STAGES)]


def test_a_stage_names_the_folders_that_its_step_watches():
    for name in STEPS:
        assert set(step(name).watches) <= set(STAGES[name]["do"]["deps"])
    assert step("build").watches == ("models",)


def test_the_stage_of_a_sweep_names_the_rooms_that_a_trial_and_the_search_import_from():
    stage = SWEEPS["do"]
    files = {file for name in ("build", "compile", "fit") for file in code(name)}
    rooms = {file if file.count("/") == 1 else file.rpartition("/")[0] for file in files}
    named = {dep for dep in stage["deps"] if dep.startswith("tasks")}
    assert named == rooms | {"tasks/sweeps"}
    params = {f"pipelines.${{key}}.{name}" for name in ("build", "compile", "fit")}
    assert set(stage["params"]) == params | {"sweeps.${key}"}


def test_every_stage_can_be_restored():
    """DVC keeps no run cache for a stage with an uncached output that is no metric or plot."""
    for name, stage in EVERY.items():
        if name != "card":  # is written in a second, and comes with git
            assert all(isinstance(out, str) for out in stage["do"]["outs"])


def test_a_stage_names_every_file_that_its_step_reads_and_writes(tmp_path):
    chosen = PROJECT.read("linear")
    place = tmp_path / "data" / "linear"
    place.mkdir(parents=True)
    (tmp_path / "data" / "built-in").symlink_to(ROOT / "data" / "built-in")

    for name in STEPS:
        folder = Folder(place)
        before = {path.name: path.stat().st_mtime_ns for path in place.glob("*.*")}
        section = getattr(chosen, name)
        if name == "fit":
            section = section.model_copy(update={"epochs": 2})
        more = [step(name).run(save_every=30, keep_state=False)] if step(name).run else []
        step(name).function(folder, section, *more)

        after = {p.name: p.stat().st_mtime_ns for p in place.glob("*.*") if p.is_file()}
        stage = STAGES[name]["do"]
        reads = {dep for dep in stage["deps"] if dep.startswith("data/${key}/")}
        assert reads == {f"data/${{key}}/{read}" for read in folder.used}
        written = {file for file in after if after[file] != before.get(file)}
        assert set(outputs(stage)) == {f"data/${{key}}/{file}" for file in written}


def outputs(stage: dict) -> list[str]:
    outs = [out for kind in ("outs", "plots", "metrics") for out in stage.get(kind, [])]
    return [next(iter(out)) if isinstance(out, dict) else out for out in outs]
