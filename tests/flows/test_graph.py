"""`dvc.yaml` against the code: the lists of dependencies and parameters are complete and have nothing more."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from flows.engine import step
from flows.project import params
from flows.project.params import ROOT, STEPS
from tasks.core.folder import Folder
from tasks.families import function as own_model
from tests.conftest import ROOT as PROJECT

GRAPH = YAML(typ="safe").load(PROJECT / "dvc.yaml")
STAGES = GRAPH["stages"]
# They change what is saved meanwhile; a test of `fit` shows that no byte changes.
NO_INFLUENCE = {"fit": {"save_every", "keep_state"}}


def test_the_eight_steps_are_modules_functions_stages_and_test_files():
    assert set(STAGES) == set(STEPS)
    for name in STEPS:
        assert params.step(name)[0].__name__ == name
        assert (ROOT / "tests" / f"test_{name}.py").is_file()


@pytest.mark.parametrize("name", STEPS)
def test_a_stage_names_all_code_that_its_step_imports_and_no_other(name):
    named = [dep for dep in STAGES[name]["do"]["deps"] if dep.endswith(".py")]
    assert tuple(sorted(named)) == step.code(name)


@pytest.mark.parametrize("name", STEPS)
def test_a_stage_names_every_parameter_of_its_step(name):
    named = {key.split(".", 1)[1] for key in STAGES[name]["do"].get("params", [])}
    if len(params.sections(name)) > 1:  # each source has its own keys: the section as a whole
        assert named == {name}
        return
    (section,) = params.sections(name)
    fields = set(section.model_fields) - NO_INFLUENCE.get(name, set())
    assert named == {f"{name}.{field}" for field in fields}


def test_every_pipeline_of_params_yaml_is_in_every_stage_with_the_files_that_it_reads():
    content = YAML(typ="safe").load(PROJECT / "params.yaml")
    assert GRAPH["vars"] == [{"pipelines": list(content)}]
    assert all(STAGES[name]["foreach"] == "${pipelines}" for name in STEPS if name != "load")
    assert list(STAGES["load"]["foreach"]) == list(content)
    for name, part in content.items():
        reads = f"${{{name}.load.path}}" if "path" in part["load"] else "data/built-in"
        assert STAGES["load"]["foreach"][name] == reads
    assert "${item}" in STAGES["load"]["do"]["deps"]


def test_build_reads_the_folder_of_own_functions():
    assert own_model.FOLDER in STAGES["build"]["do"]["deps"]


def test_no_step_imports_another_and_none_imports_a_flow():
    for name in STEPS:
        code = step.code(name)
        assert not [file for file in code if file.startswith("flows/")]
        assert not [other for other in STEPS if other != name and f"tasks/{other}.py" in code]


def test_every_stage_can_be_restored():
    """DVC keeps no run cache for a stage with an output that is not cached, unless it is a metric or a plot."""
    for name in STEPS:
        assert all(isinstance(out, str) for out in STAGES[name]["do"]["outs"])


def test_one_module_talks_to_dvc():
    files = [path for folder in ("flows", "tasks") for path in (ROOT / folder).glob("*.py")]
    assert [path.name for path in files if "import dvc" in path.read_text()] == ["memory.py"]


def test_a_stage_names_every_file_that_its_step_reads_and_writes(tmp_path):
    for name in STEPS:
        function, _ = params.step(name)
        folder = Folder(tmp_path / "linear")
        before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("linear/*.*")}
        section = getattr(params.read("linear"), name)
        function(folder, section.model_copy(update={"epochs": 2}) if name == "fit" else section)
        after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("linear/*.*") if path.is_file()}
        stage = STAGES[name]["do"]
        outputs = [next(iter(out)) if isinstance(out, dict) else out for kind in ("outs", "plots", "metrics")
                   for out in stage.get(kind, [])]  # fmt: skip
        assert {dep for dep in stage["deps"] if "/${item}/" in dep} == {
            f"data/${{item}}/{read}" for read in folder._read
        }
        outputs = [out.replace("${key}", "${item}") for out in outputs]  # load's foreach is a mapping
        assert set(outputs) == {f"data/${{item}}/{file}" for file in after if after[file] != before.get(file)}
