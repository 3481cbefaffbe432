"""What a server answers: to images, tables, arrays, one row or many."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from flows.inference import body, describe
from flows.inference.example import _cell, example
from flows.inference.model import load
from flows.project.folder import Project
from tasks.core.step import UserError
from tests.support.answering import CITIES, PERSON

JSON, CSV = "application/json", "text/csv"


@pytest.fixture(scope="module")
def models(project):
    """The same models, asked without a server."""
    return lambda name: load(Project(project), name)


def told(answer) -> list[dict]:
    assert answer.status_code == 200, answer.text
    return answer.json()["answers"]


def test_test_images_get_the_answers_of_the_exported_file(servers, models, project):
    model, server = models("pictures"), servers("pictures")
    with np.load(project / "data/pictures/raw.npz") as raw:
        x = raw["x_test"]
    output = model.asked.ask(x)

    files = [("file", (f"{row}.png", png(each), "image/png")) for row, each in enumerate(x)]
    answers = told(server.client.post("/predict", files=files))
    assert [each["row"] for each in answers] == [f"{row}.png" for row in range(len(x))]
    assert [each["predicted"] for each in answers] == [("cat", "dog")[k] for k in of(output)]
    assert answers[0]["confidence"] == pytest.approx(float(np.maximum(output, 1 - output)[0, 0]))
    assert answers[0]["best"][0]["class"] == answers[0]["predicted"]

    asked = server.predict(json.dumps(x.tolist()).encode(), JSON)
    assert [each["best"] for each in told(asked)] == [each["best"] for each in answers]


def of(output: np.ndarray) -> list[int]:
    return (output[:, 0] > 0.5).astype(int).tolist()


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_a_form_is_read_no_longer_than_somebody_waits(models):
    form = b"--x\r\n\r\n" + png(np.zeros((4, 6, 3), np.uint8)) + b"\r\n--x--"
    how = ("multipart/form-data; boundary=x", form, models("pictures").reader, 9)
    assert len(body.read(*how, seconds=60).x) == 1
    with pytest.raises(UserError, match=r"takes more than 0 seconds\. Send fewer files"):
        body.read(*how, seconds=0)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1"])
def test_an_image_of_any_size_and_color_is_read_as_predict_reads_it(
    servers, models, mode, tmp_path
):
    from tasks.answers import reading
    from tasks.core.folder import Folder
    from tasks.sources.place import Place

    model = models("pictures")
    file = tmp_path / {"CMYK": "new.tiff", "L": "new.jpg"}.get(mode, "new.png")
    noise = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    how = {"progressive": True, "comment": b"\xff\xda" * 999} if mode == "L" else {}
    Image.fromarray(noise).convert(mode).save(file, **how)
    place, folder = Place(file, file.name), Folder(model.folder)
    ((x, _),) = reading.read(place, model.schema, folder, scale=False)

    (answer,) = told(servers("pictures").predict(file.read_bytes(), "image/whatever"))
    assert answer["best"] == model._classes(model.asked.ask(x))[0]["best"]


def test_a_body_of_no_told_type_is_what_the_model_takes(servers):
    content = png(np.zeros((4, 6, 3), np.uint8))
    for kind in ("application/x-www-form-urlencoded", "application/octet-stream"):
        told(servers("pictures").predict(content, kind))  # as `curl --data-binary` sends it
        assert len(told(servers("points").predict(b"1,2\n3,4\n", kind))) == 2
        assert len(told(servers("points").predict(b" [[1, 2]]", kind))) == 1


def test_rows_of_csv_and_json_get_the_same_answers(servers, project):
    lines = (project.parent / "project/sources/people.csv").read_text().splitlines()
    names, *rows = [line.split(",") for line in lines]
    by_name = [dict(zip(names, row, strict=True)) for row in rows]
    shuffled = sorted(names)  # the order does not matter
    table = "\n".join(
        ",".join(line) for line in [shuffled, *([row[n] for n in shuffled] for row in by_name)]
    )
    server = servers("people")
    answers = told(server.predict(table.encode(), CSV))
    assert len(answers) == len(rows)
    assert answers == told(server.predict(json.dumps({"rows": by_name}).encode(), JSON))

    numbers = [
        row | {name: float(row[name]) if row[name] else None for name in ("a", "b", "rooms")}
        for row in by_name
    ]
    assert answers == told(server.predict(json.dumps(numbers).encode(), JSON))


def test_one_object_is_a_row_and_what_the_training_did_not_know_is_named(servers):
    other = PERSON | {"city": "Paris", "team": "red"}
    for content, kind in ((json.dumps(other), JSON), (csv_of(other), CSV)):
        answer = servers("people").predict(content.encode(), kind)
        assert len(told(answer)) == 1
        assert answer.json()["unknown_words"] == {"city": 1}
        assert answer.json()["unused_columns"] == ["team"]

    answer = servers("people").predict(json.dumps(PERSON).encode(), JSON)
    assert answer.json().keys() == {"model", "version", "answers"}


def csv_of(row: dict) -> str:
    return (
        ",".join(row)
        + "\n"
        + ",".join("" if value is None else str(value) for value in row.values())
        + "\n"
    )


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252", "UTF-16", '"utf-16le"'])
def test_csv_is_read_in_the_charset_that_its_type_names(servers, charset):
    table = "city,member,joined,rooms,a,b\nOrl\xe9ans,yes,2024-01-02,1,1,0.5\n"
    content = table.encode(charset.strip('"'))
    answer = servers("people").predict(content, f"{CSV}; header=present; charset={charset}")
    assert told(answer) == told(servers("people").predict(table.encode(), CSV))


@pytest.mark.parametrize("path", ["/", "/about", "/v2/models/points", "/nowhere"])
def test_head_answers_as_get_without_a_body(servers, path):
    got, asked = (servers("points").client.request(how, path) for how in ("GET", "HEAD"))
    assert (asked.status_code, asked.content) == (got.status_code, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]


def test_every_answer_has_the_version_that_dvc_recorded(servers, project):
    version = servers("points").predict(b"1,2\n", CSV).json()["version"]
    assert f"md5: {version}.dir" in (project / "release/dvc.lock").read_text()


def test_prometheus_reads_what_was_asked_and_answered(servers):
    server = servers("points")
    before = metrics(server)
    told(server.predict(b"1,2\n3,4\n5,6\n", CSV))
    assert server.predict(b"1,x\n", CSV).status_code == 422
    after = metrics(server)
    more = {sample: after[sample] - before.get(sample, 0) for sample in after}
    assert more["serve_requests_total", "/predict", "200"] == 1
    assert more["serve_requests_total", "/predict", "422"] == 1
    assert more["serve_seconds_count", "/predict"] == 2
    assert more["serve_rows_total",] == more["serve_batch_rows_sum",] == 3
    assert more["serve_batch_rows_count",] == 1


def metrics(server) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, by Prometheus's own parser."""
    families = text_string_to_metric_families(server.client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def test_a_regression_answers_in_the_unit_of_its_target(servers, models):
    rows = np.array([[1.0, 2.0], [22.0, 23.0]])
    answers = told(servers("points").predict(b"x1,x2\n1,2\n22,23\n", CSV))
    expected = models("points").asked.ask(rows)[:, 0]
    assert [each["predicted"] for each in answers] == pytest.approx(expected.tolist())


@pytest.mark.parametrize("kind", ["number kg", "number , kg"])
def test_the_form_and_the_documentation_name_the_unit_of_a_column(kind):
    column = describe.column(
        {"name": "weight", "kind": kind, "words": [], "fill": None, "parts": []}
    )
    assert (column["kind"], column["unit"]) == ("number", "kg")
    assert describe._cell(column) == {"type": "number", "description": "kg"}


def test_the_page_and_the_documentation_know_the_model(servers):
    server = servers("people")
    about = server.client.get("/about").json()
    assert about["classes"] == ["leaves", "stays"]
    assert set(about["example"]) == {"a", "b", "city", "member", "joined", "rooms"}
    joined = {each["name"]: each for each in about["columns"]}["joined"]
    assert (joined["kind"], joined["such_as"]) == ("date", "2024-12-31")
    told(server.predict(json.dumps(about["example"]).encode(), JSON))

    paths = server.client.get("/openapi.json").json()["paths"]
    content = paths["/predict"]["post"]["requestBody"]["content"]
    row = content["application/json"]["schema"]["items"]
    city = {"type": ["string", "null"], "examples": sorted(CITIES)}
    assert row["properties"]["city"] == city
    told(server.predict(json.dumps(content["application/json"]["example"]).encode(), JSON))
    told(server.predict(content["text/csv"]["example"].encode(), CSV))


def test_a_server_imports_no_tensorflow_dvc_or_prefect_and_pandas_for_tables_alone(project):
    import subprocess
    import sys

    heavy = ("tensorflow", "keras", "dvc", "prefect", "matplotlib", "sklearn", "pandas")
    code = (
        "import sys; from pathlib import Path; from flows.inference import model, server\n"
        "from flows.project.folder import Project; import flows.command.serve\n"
        f"made = model.load(Project(Path({str(project)!r})), 'pictures')\n"
        f"made.reader.values({np.zeros((1, 4, 6, 3)).tolist()}, 9)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_example_of_an_array_in_fortrans_order_is_its_first_row(tmp_path):
    np.savez(tmp_path / "raw.npz", x_test=np.asfortranarray(np.arange(12).reshape(3, 4)))
    assert example(tmp_path / "raw.npz", {"input_shape": [4]}) == [0, 1, 2, 3]


def test_where_the_rows_are_damaged_or_others_the_example_is_made_up(tmp_path):
    columns = [{"name": "city", "kind": "words", "words": ["Oslo"], "fill": None}]
    raw, schema = tmp_path / "raw.npz", {"columns": columns}
    other = {"x_test": np.array([[700.0]]), "feature_names": ["city"], "words": ["Lima"]}
    np.savez(raw, **other)  # numbers since
    assert example(raw, schema) == {"city": "Oslo"}
    raw.write_bytes(raw.read_bytes()[:99])
    assert example(raw, schema) == {"city": "Oslo"}


def test_a_date_has_an_example_of_its_form():
    of = {"name": "sold", "kind": "date %d.%m.%Y", "words": [], "fill": None, "parts": []}
    assert describe.column(of)["such_as"] == "31.12.2024"


def test_a_column_all_of_whose_words_are_rare_is_empty_in_the_example(tmp_path):
    column = {"name": "city", "kind": "words", "words": [], "fill": 0.0}
    assert example(tmp_path / "nowhere.npz", {"columns": [column]}) == {"city": None}


def test_a_date_whose_hour_is_a_feature_has_it_in_its_examples():
    of = {"name": "sold", "kind": "date", "words": [], "fill": None, "parts": ["time", "hour"]}
    assert describe.column(of)["such_as"] == "2024-12-31T23:59"
    assert _cell(of, 86_400.0, np.array([])) == "1970-01-02T00:00:00"
