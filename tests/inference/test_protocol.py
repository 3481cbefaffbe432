"""The Open Inference Protocol, asked by Triton's client."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.support.answering import CITIES

http = pytest.importorskip("tritonclient.http")
Exception_ = pytest.importorskip("tritonclient.utils").InferenceServerException


@pytest.fixture
def client(servers):
    made = []

    def get(pipeline: str):
        made.append(http.InferenceServerClient(servers(pipeline).url.removeprefix("http://")))
        return made[-1]

    yield get
    for each in made:
        each.close()


def tensor(name: str, values: np.ndarray, kind: str, binary: bool):
    made = http.InferInput(name, list(values.shape), kind)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def test_the_client_sees_a_server_and_a_model_that_are_ready(client, servers):
    asked = client("pictures")
    assert asked.is_server_live()
    assert asked.is_server_ready()
    assert asked.is_model_ready("pictures")
    assert not asked.is_model_ready("people")
    about = asked.get_model_metadata("pictures")
    assert about["inputs"] == [{"name": "input", "datatype": "UINT8", "shape": [-1, 4, 6, 3]}]
    version = servers("pictures").client.get("/about").json()["version"]
    assert asked.get_model_metadata("pictures", version)["versions"] == [version]


@pytest.mark.parametrize("binary", [True, False])
def test_images_get_the_answers_of_predict(client, servers, project, binary):
    with np.load(project / "data/pictures/raw.npz") as raw:
        x = raw["x_test"]
    predicted = servers("pictures").predict(json.dumps(x.tolist()).encode(), "application/json")
    outputs = [http.InferRequestedOutput(name, binary) for name in ("probabilities", "predicted")]
    answer = client("pictures").infer(
        "pictures", [tensor("input", x, "UINT8", binary)], outputs=outputs, request_id="7"
    )

    chances, names = answer.as_numpy("probabilities"), answer.as_numpy("predicted")
    assert chances.shape == (len(x), 2)
    rows = predicted.json()["answers"]
    words = [each.decode() if binary else each for each in names.tolist()]
    assert words == [each["predicted"] for each in rows]
    np.testing.assert_array_equal(chances.max(1), np.float32([each["confidence"] for each in rows]))
    said = answer.get_response()
    assert said["id"] == "7"
    assert said["model_version"] == predicted.json()["version"]


@pytest.mark.parametrize("binary", [True, False])
def test_a_table_has_an_input_for_each_column(client, servers, binary):
    columns = {
        "a": (np.array([1.0, 2.0, np.nan if binary else 3.0]), "FP64"),
        "b": (np.array([0.5, 1.0, 1.5]), "FP64"),
        "city": (np.array(CITIES, dtype=object), "BYTES"),
        "member": (np.array([True, False, True]), "BOOL"),
        "joined": (np.array(["2024-01-02"] * 3, dtype=object), "BYTES"),
        "rooms": (np.array([1.0, 2.0, 3.0]), "FP64"),
    }
    asked = [tensor(name, values, kind, binary) for name, (values, kind) in columns.items()]
    answer = client("people").infer("people", asked)

    lists = {name: values.tolist() for name, (values, _) in columns.items()}
    rows = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    rows = [row | {"a": None if row["a"] != row["a"] else row["a"]} for row in rows]
    said = servers("people").predict(json.dumps(rows).encode(), "application/json").json()
    assert answer.as_numpy("predicted").tolist() == [
        each["predicted"].encode() for each in said["answers"]
    ]


def test_a_regression_answers_numbers(client):
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    answer = client("points").infer("points", [tensor("input", x, "FP64", True)])
    assert answer.as_numpy("predicted").shape == (2,)
    assert answer.as_numpy("predicted").dtype == np.float32


def wrong(x: np.ndarray, kind: str, name: str = "input", **how):
    return [tensor(name, x, kind, True)], how


X = np.array([[1.0, 2.0]])
WRONG = {
    "another shape": (wrong(X.reshape(1, 1, 2), "FP64"), "A row has the shape"),
    "another input": (wrong(X, "FP64", "other"), "The inputs are other. Expected input"),
    "NaN": (wrong(X * np.nan, "FP64"), "is not a number"),
    "no rows": (wrong(X[:0], "FP64"), "one at least"),
    "10,001 rows": (wrong(np.repeat(X, 10_001, 0), "FP64"), "more than 10,000 rows"),
    "text": (wrong(X.astype(str).astype(object), "BYTES"), "not a number"),
    "gzip": (wrong(X, "FP64", request_compression_algorithm="gzip"), "is compressed"),
    "another output": (
        wrong(X, "FP64", outputs=[http.InferRequestedOutput("y")]), "There is no output"
    ),
    "another version": (wrong(X, "FP64", model_version="1"), "Expected the model points of"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_the_client_is_told_what_is_wrong(client, what):
    (inputs, how), says = WRONG[what]
    with pytest.raises(Exception_, match=says):
        client("points").infer("points", inputs, **how)


def test_a_column_of_a_table_has_one_value_a_row(client):
    wide = tensor("a", np.ones((2, 3)), "FP64", True)
    others = [tensor(name, np.ones(2), "FP64", True) for name in ("b", "rooms")]
    words = np.array(["Oslo"] * 2, dtype=object), "BYTES", True
    others += [tensor(name, *words) for name in ("city", "joined")]
    member = tensor("member", np.array([True] * 2), "BOOL", True)
    with pytest.raises(Exception_, match=r"a has the shape \[2, 3\]\. Expected one value a row"):
        client("people").infer("people", [wide, *others, member])


NAMED = {"name": "input", "shape": [1, 2], "datatype": "FP64"}
BODIES = {
    "no inputs": (b"{}", "has no `inputs`"),
    "a list": (b"[]", "has no `inputs`"),
    "an input that is none": ({"inputs": [3]}, "An input is not an object"),
    "no datatype": ({"inputs": [{"name": "input", "shape": [1, 2]}]}, "datatype is None. Expected"),
    "half a character": (
        b'{"id": "\\ud800", "inputs": []}', "is not JSON: 'utf-8' codec can't encode"
    ),
    "one output again and again": (
        {"inputs": [NAMED | {"data": [1, 2]}], "outputs": [{"name": "predicted"}] * 9},
        "must name each output once: predicted",
    ),
    "no data": ({"inputs": [NAMED]}, "is not a list of values"),
    "too few values": ({"inputs": [NAMED | {"data": [1]}]}, "has 1 values. Expected as many as"),
    "lists of several lengths": ({"inputs": [NAMED | {"data": [[1], [1, 2]]}]}, "differ in length"),
    "a shape below 0": ({"inputs": [NAMED | {"shape": [-1, 2], "data": []}]}, "Expected a list of"),
    "100 dimensions": (
        {"inputs": [NAMED | {"shape": [1] * 100, "data": [1]}]}, "at most 32 whole numbers"
    ),
    "a shape whose product takes hours": (
        {"inputs": [NAMED | {"shape": [2**31 - 1] * 10**5, "data": [1]}]}, "at most 32 whole num"
    ),
    "a shape of a truth": (
        {"inputs": [NAMED | {"shape": [True, 2], "data": [1, 2]}]}, "Expected a list of at most"
    ),
    "truths for numbers": (
        {"inputs": [NAMED | {"data": [True, False]}]}, "list of values of the datatype FP64"
    ),
    "numbers for truths": (
        {"inputs": [NAMED | {"datatype": "BOOL", "data": [1, 0]}]}, "values of the datatype BOOL"
    ),
    "parts of whole numbers": (
        {"inputs": [NAMED | {"datatype": "INT64", "data": [1.5, 2]}]}, "of the datatype INT64"
    ),
    "256 in a byte": (
        {"inputs": [NAMED | {"datatype": "UINT8", "data": [256, 2]}]}, "of the datatype UINT8"
    ),
    "an id that is no text": (b'{"id": 1e400, "inputs": []}', "is not a text"),
    "a name of a million letters": (
        {"inputs": [NAMED | {"name": "x" * 10**6, "data": [1, 2]}]}, "The inputs are xxx"
    ),
    "a shape of words": ({"inputs": [NAMED | {"shape": "ab", "data": []}]}, "Expected a list of"),
    "a huge shape": ({"inputs": [NAMED | {"shape": [2**30, 2**30], "data": [1]}]}, "has 1 values"),
    "bytes that are not there": (
        {"inputs": [NAMED | {"parameters": {"binary_data_size": 16}}]}, "but there is less"
    ),
    "a size below 0": (
        {"inputs": [NAMED | {"parameters": {"binary_data_size": -1}}]}, "but there is less"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BODIES)
def test_a_request_that_is_wrong_gets_one_message(servers, what):
    content, says = BODIES[what]
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    answer = servers("points").client.post("/v2/models/points/infer", content=body)
    assert answer.status_code == 422
    assert says in answer.json()["error"]
    assert len(answer.content) < 2_000


def test_a_text_that_is_not_utf_8_is_refused(servers):
    tensor = {"name": "city", "shape": [1], "datatype": "BYTES"}
    head = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": 5}}]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = servers("people").client.post(
        "/v2/models/people/infer", content=head + b"\x01\0\0\0\xff", headers=headers
    )
    assert answer.status_code == 422
    assert "city: a text is not UTF-8" in answer.json()["error"]


@pytest.mark.parametrize("length", ["-1", "x", "99999", "1", "9" * 5000])
def test_a_length_of_the_json_that_is_wrong_is_refused(servers, length):
    body = json.dumps({"inputs": [NAMED | {"data": [1, 2]}]}).encode()
    headers = {"Inference-Header-Content-Length": length}
    answer = servers("points").client.post("/v2/models/points/infer", content=body, headers=headers)
    assert answer.status_code == 422
