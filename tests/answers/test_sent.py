"""Promise 10 for rows of a request: they are the training's rows, to the bit."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from tasks.answers.sent import Reader
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.rows.scaling import Scaling
from tests.support.own import KINDS, made, of_csv, of_images, people, put_csv, put_images

MANY = 1000


def test_test_rows_that_are_sent_are_those_of_the_training_to_the_bit(tmp_path):
    lines = people()
    params = of_csv(put_csv(tmp_path / "people.csv", *lines), columns=KINDS, missing="median")
    raw, normalized, schema = made(tmp_path, params, "standard")
    rows = [int(place.split()[-1]) for place in raw["from_test"]]
    sent = "\n".join([lines[0], *(lines[row] for row in rows)])
    reader = Reader(schema, Folder(tmp_path / "out"))
    scaled = Scaling.from_json(schema["scaling"]).apply

    text = reader.text(sent.encode(), MANY)
    np.testing.assert_array_equal(scaled(text.x), normalized["x_test"])

    found = [{**row, "age": float(row["age"]) if row["age"] else None}
             for row in csv.DictReader(io.StringIO(sent))]  # fmt: skip
    np.testing.assert_array_equal(reader.values(found, MANY).x, text.x)
    assert reader.values(found, MANY).places == text.places


@pytest.mark.parametrize("color", ["rgb", "gray", "gray16"])
def test_images_that_are_sent_are_those_of_the_training_to_the_bit(tmp_path, color):
    place = put_images(tmp_path / "photos")
    raw, _, schema = made(tmp_path, of_images(place, color=color), "standard")
    reader = Reader(schema, Folder(tmp_path / "out"))
    for file, pixels in zip(raw["from_test"], raw["x_test"], strict=True):
        (found,) = reader.image((place / file).read_bytes(), "photo.png").x
        np.testing.assert_array_equal(found, pixels)


def test_a_message_names_what_was_sent_and_no_file(tmp_path):
    _, _, schema = made(tmp_path, of_images(put_images(tmp_path / "photos")), "pixels")
    reader = Reader(schema, Folder(tmp_path / "out"))
    says = r"^cat\.png cannot be read: cannot identify image file\. Expected a PNG, JPEG, WebP"
    with pytest.raises(UserError, match=says):
        reader.image(b"hello", "cat.png")
