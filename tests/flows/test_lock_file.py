"""dvc.lock is written stage by stage, with the bytes that DVC writes."""

from __future__ import annotations

import datetime
from copy import deepcopy

import dvc.dvcfile
import pytest
from dvc.utils.serialize import modify_yaml as as_dvc_does

from flows.memory import patches  # noqa: F401  # which exchanges `dvc.dvcfile.modify_yaml`

VALUES = {
    "number": 1e-05,
    "digest": "12e34",
    "digits": "0123",
    "whole": 3.0,
    "none": None,
    "no": "no",
    "day": datetime.date(2024, 12, 31),
    "words": "a: b # c",
    "long": "word " * 40,
    "names": ["é", "日本", "it's", ""],
    "deep": {"a": [], "b": {}, "c": [{"d": [1, 2]}]},
}


def stage(number: int) -> dict:
    params = {"params.yaml": deepcopy(VALUES) | {"seed": number}}
    return {"cmd": "python3 -m flows.stage fit own", "params": params, "outs": []}


@pytest.mark.parametrize("head", [{}, {"datasets": [{"name": "own", "url": "s3://there"}]}])
def test_it_has_the_bytes_that_dvc_writes(tmp_path, head):
    ours, theirs = tmp_path / "dvc.lock", tmp_path / "theirs" / "dvc.lock"
    theirs.parent.mkdir()
    for number in (1, 2, 1):
        for file, modify in ((ours, dvc.dvcfile.modify_yaml), (theirs, as_dvc_does)):
            with modify(file) as data:
                data.update({"schema": "2.0", **head})
                data.setdefault("stages", {})[f"fit@{number}"] = stage(number)
                data["stages"]["fit@again"] = stage(10 * number)
        assert ours.read_bytes() == theirs.read_bytes()
    assert "fit@2" in ours.read_text()


def test_other_files_keep_their_comments(tmp_path):
    file = tmp_path / "dvc.yaml"
    file.write_text("# why\nstages: {}\n")
    with dvc.dvcfile.modify_yaml(file) as data:
        data["vars"] = ["more.yaml"]
    assert file.read_text() == "# why\nstages: {}\nvars:\n- more.yaml\n"
