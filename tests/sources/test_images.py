"""Folders of images: how they are read, and what is refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.core.step import Stopped, UserError, stopping
from tests.support.own import loaded, of_images, put_csv, put_image, put_images
from tests.support.wrong import cut, emptied, refused


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_images_of_mixed_sizes_and_kinds_get_one_size_and_the_folders_names(tmp_path, color):
    found = loaded(tmp_path / "out", of_images(put_images(tmp_path / "in"), color=color, test=0.2))
    assert found["x_train"].shape == ((8, 4, 6) if color == "gray" else (8, 4, 6, 3))
    assert found["x_train"].dtype == np.uint8
    assert found["class_names"].tolist() == ["cat", "dog"]
    assert sorted(found["y_test"]) == [0, 1]
    for split in ("train", "test"):
        bright = found[f"x_{split}"].reshape(len(found[f"y_{split}"]), -1).mean(axis=1) > 100
        np.testing.assert_array_equal(bright, found[f"y_{split}"] == 1)


def test_images_in_train_and_test_folders_are_not_mixed(tmp_path):
    for split, color in (("train", 10), ("test", 99)):
        for name in ("b", "a"):
            put_image(tmp_path / "in" / split / name / "1.png", mode="L", color=color)
    (tmp_path / "in/train/.hidden").mkdir()
    found = loaded(tmp_path / "out", of_images(tmp_path / "in", color="gray", test="given"))
    assert (found["x_train"] == 10).all()
    assert (found["x_test"] == 99).all()
    assert found["class_names"].tolist() == ["a", "b"]


def test_a_photograph_is_turned_as_its_camera_says(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6  # the left side of the pixels is the top
    picture = Image.new("L", (8, 4), 0)
    picture.paste(255, (0, 0, 4, 4))
    for name in ("a", "b"):
        for number in range(2):
            (tmp_path / "in" / name).mkdir(parents=True, exist_ok=True)
            picture.save(tmp_path / "in" / name / f"{number}.jpg", exif=turned, quality=95)
    found = loaded(
        tmp_path / "out", of_images(tmp_path / "in", color="gray", size=[8, 4], test=0.5)
    )
    assert found["x_train"][0, :3].min() > 240
    assert found["x_train"][0, 5:].max() < 15


def test_what_is_transparent_is_white(tmp_path):
    for name, ink in (("a", 0), ("b", 60)):
        for number, mode in enumerate(("RGBA", "LA", "P", "L")):
            image = Image.new("RGBA", (6, 6), (0, 0, 0, 0))
            image.paste((ink, ink, ink, 255), (0, 0, 3, 6))
            image = image if mode == "RGBA" else image.convert(mode)
            file = tmp_path / "in" / name / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            image.save(file, **({"transparency": image.getpixel((5, 0))} if mode == "P" else {}))
    found = loaded(tmp_path / "out", of_images(tmp_path / "in", color="gray", size=[6, 6]))
    for split in ("train", "test"):
        for row, label in zip(found[f"x_{split}"], found[f"y_{split}"], strict=True):
            assert set(row[:, :3].flat) <= {60 * label, 51}  # 51: the palette's nearest
    assert (
        found["x_train"][:, :, 3:] == 255
    ).sum() >= 6 * 18 - 2 * 18  # but for images without transparency


def test_what_a_mac_zips_is_passed_over(tmp_path):
    put_image(put_images(tmp_path / "in") / "__MACOSX/cat/._0.png")
    assert loaded(tmp_path / "out", of_images(tmp_path / "in", test=0.2))[
        "class_names"
    ].tolist() == ["cat", "dog"]


def test_other_files_beside_images_are_told_and_left_out(tmp_path, caplog):
    (put_images(tmp_path / "in") / "cat" / "notes.txt").write_text("x")
    (tmp_path / "in/labels.csv").write_text("x")
    assert len(loaded(tmp_path / "out", of_images(tmp_path / "in", test=0.2))["x_train"]) == 8
    assert "/in: left out labels.csv. Expected a folder with" in caplog.text
    assert "/in/cat: left out notes.txt. Expected" in caplog.text


def test_a_folder_beside_train_and_test_is_told_and_left_out(tmp_path, caplog):
    for split in ("train", "test", "more"):
        put_images(tmp_path / "in" / split, count=1)
    assert len(loaded(tmp_path / "out", of_images(tmp_path / "in", test="given"))["x_train"]) == 2
    assert "/in: left out more. Expected a folder with" in caplog.text


@pytest.mark.parametrize(
    "names",
    [
        "train validation",
        "train valid test",
        "Training Validation Testing",
        "archive/train archive/test",
        "seg_train/seg_train seg_test/seg_test",
        "training_set test_set",
    ],
)
def test_folders_of_splits_have_the_names_that_people_give_them(tmp_path, names):
    colors = {"train": 10, "val": 50, "test": 90}
    splits = [next(s for s in colors if s[:2] in name.lower()) for name in names.split()]
    for name, split in zip(names.split(), splits, strict=True):
        for animal in ("cat", "dog"):
            for number in range(4):
                file = tmp_path / "in" / name / animal / f"{number}.png"
                put_image(file, mode="L", color=colors[split])
    (tmp_path / "in/__MACOSX/train").mkdir(parents=True)
    (tmp_path / "in/Thumbs.db").write_text("x")

    test = "given" if "test" in splits else 0.25
    found = loaded(tmp_path / "out", of_images(tmp_path / "in", color="gray", test=test))
    assert found["class_names"].tolist() == ["cat", "dog"]
    if "test" in splits:
        assert set(found["x_test"].flat) == {90}
    if "val" in splits:
        assert set(found["x_train"][found["given_train"]].flat) == {50}
        assert set(found["x_train"][~found["given_train"]].flat) == {10}


def test_test_images_in_no_class_are_new_ones_to_predict(tmp_path, caplog):
    put_images(tmp_path / "in/train")
    put_image(tmp_path / "in/test/1.png")
    with caplog.at_level("INFO", "tasks"):
        found = loaded(tmp_path / "out", of_images(tmp_path / "in"))
    assert len(found["x_train"]) + len(found["x_test"]) == 10
    assert "/in/test has no sub-folders: new images to predict, left out" in caplog.text


@pytest.mark.parametrize("ending", ["webp", "bmp", "tif", "TIFF", "jfif"])
def test_other_kinds_of_images_are_read(tmp_path, ending):
    for name, color in (("a", (10, 20, 30)), ("b", (200, 210, 220))):
        for number in range(3):
            how = {"lossless": True} if ending == "webp" else {}
            put_image(tmp_path / "in" / name / f"{number}.{ending}", color=color, **how)
    found = loaded(tmp_path / "out", of_images(tmp_path / "in", test=2))
    assert set(map(tuple, found["x_train"].reshape(-1, 3).tolist())) == {
        (10, 20, 30),
        (200, 210, 220),
    }


def test_gray16_keeps_16_bits_and_widens_8(tmp_path):
    for name, pixels in (("a", np.uint16(40_001)), ("b", np.uint8(200))):
        for number, ending in enumerate(("png", "tif", "png")):
            file = tmp_path / "in" / name / f"{number}.{ending}"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((5, 7), pixels)).save(file)
    found = loaded(tmp_path / "out", of_images(tmp_path / "in", color="gray16", test=2))
    assert found["x_train"].dtype == np.uint16
    assert set(found["x_train"][found["y_train"] == 0].flat) == {40_001}
    assert set(found["x_train"][found["y_train"] == 1].flat) == {200 * 257}


def broken(folder: Path) -> Path:
    """Ten images of which three cannot be read."""
    put_images(folder)
    (folder / "cat/1.jpg").write_bytes(b"")
    cut(folder / "cat/2.PNG", 40)
    (folder / "dog/0.png").write_text("hi")
    return folder


def test_all_broken_images_are_named_at_once(tmp_path):
    expected = (
        r"/in: 3 of 10 images cannot be used: .*cat/1\.jpg \(the file is empty\).*\. "
        r"Replace or remove them, or set `broken: skip` to leave them out\."
    )
    refused(tmp_path, lambda path: of_images(broken(path / "in")), expected)
    with pytest.raises(UserError) as caught:
        loaded(tmp_path / "out", of_images(tmp_path / "in"))
    assert all(name in str(caught.value) for name in ("cat/1.jpg", "cat/2.PNG", "dog/0.png"))


def test_broken_images_can_be_left_out_and_are_counted(tmp_path, caplog):
    folder = broken(tmp_path / "in")
    found = loaded(tmp_path / "out", of_images(folder, broken="skip", test=2))
    assert "/in: left out 3 of 10 images that cannot be used: cat/1.jpg (the" in caplog.text
    for name in ("cat/1.jpg", "cat/2.PNG", "dog/0.png"):
        (folder / name).unlink()
    same = loaded(tmp_path / "out", of_images(folder, test=2))
    assert found.keys() == same.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, same[name])


def test_reading_many_images_can_be_stopped(tmp_path):
    folder = put_images(tmp_path / "in")
    stopping.set()
    try:
        with pytest.raises(Stopped, match="stopped after 0 of 8 images"):
            loaded(tmp_path / "out", of_images(folder, test=0.2))
    finally:
        stopping.clear()


def folders(change, **how):
    """A folder of images, changed."""

    def make(path: Path):
        change(put_images(path / "in"))
        return of_images(path / "in", **how)

    return make


def deep(folder: Path) -> None:
    Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(folder / "cat" / "9.png")


def png16(colors: int) -> bytes:
    """A PNG file of one pixel, which Pillow cannot write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        summed = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", summed)

    head = struct.pack(">IIBBBBB", 1, 1, 16, {3: 2, 4: 6}[colors], 0, 0, 0)
    pixels = zlib.compress(bytes(1 + 2 * colors))
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def tiff16() -> bytes:
    """A TIFF file of one pixel: what its tags say, the bits of each colour, the pixel."""
    tags = {256: 1, 257: 1, 258: 122, 259: 1, 262: 2, 273: 128, 277: 3, 278: 1, 279: 6}
    lines = [struct.pack("<HHII", tag, 3, 3 if tag == 258 else 1, of) for tag, of in tags.items()]
    content = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(lines) + bytes(4)
    return content + struct.pack("<HHH", 16, 16, 16) + bytes(6)


def pages(ending: str):
    def change(folder: Path) -> None:
        first, other = Image.new("L", (4, 4)), Image.new("L", (4, 4), 99)
        first.save(folder / "cat" / f"9.{ending}", save_all=True, append_images=[other])

    return change


WRONG = {
    "no folders": (
        folders(emptied),
        r"/in has no sub-folders\. Expected a folder with a sub-folder of PNG, JPEG, WebP",
    ),
    "empty class": (
        folders(lambda f: (f / "emu").mkdir()),
        r"/in/emu has no image: no file ends in \.png, \.jpg",
    ),
    "one folder": (
        folders(lambda f: emptied(f / "cat") or (f / "cat").rmdir()),
        r"one class only, `dog`",
    ),
    "labels in a file": (
        folders(lambda f: emptied(f / "cat") or (f / "cat").rmdir() or put_csv(f / "dogs.csv")),
        r"one folder of images only, dog\. Expected one for each class: if dogs\.csv says",
    ),
    "truncated PNG": (
        folders(lambda f: cut(f / "cat/0.png", 40)),
        r"/in/cat/0\.png cannot be used as an image: .* Re",
    ),
    "truncated JPEG": (
        folders(lambda f: cut(f / "dog/1.jpg", 300)),
        r"/in/dog/1\.jpg cannot be used as an image: T",
    ),
    "text named PNG": (
        folders(lambda f: put_csv(f / "cat/x.png", "hi")),
        r"cat/x\.png cannot be used as an image: ca",
    ),
    "several pages": (
        folders(pages("tif")),
        r"cat/9\.tif cannot be used as an image: it has 2 pages, so save those that .*\. Replace",
    ),
    "an animation": (
        folders(pages("webp")),
        r"cat/9\.webp cannot be used as an image: it is an animation of 2 pictures, so",
    ),
    "an animation with the ending of another": (
        folders(lambda f: pages("gif")(f) or (f / "cat/9.gif").rename(f / "cat/9.png")),
        r"cat/9\.png cannot be used as an image: it is an animation of 2 pictures",
    ),
    "16 bits a colour": (
        folders(lambda f: (f / "cat/9.png").write_bytes(png16(colors=3))),
        r"cat/9\.png cannot be used as an image: it has 16 bits a colour, so save it with 8",
    ),
    "16 bits a colour and transparent": (
        folders(lambda f: (f / "cat/9.png").write_bytes(png16(colors=4))),
        r"cat/9\.png cannot be used as an image: it has 16 bits a colour",
    ),
    "16 bits a colour, as TIFF": (
        folders(lambda f: (f / "cat/9.tif").write_bytes(tiff16())),
        r"cat/9\.tif cannot be used as an image: it has 16 bits a colour",
    ),
    "two folders for a split": (
        folders(lambda f: [put_images(f / n) for n in ("train", "val", "validation")]),
        r"/in has both val and validation, which are one split\. Expected one folder",
    ),
    "a class of broken images": (
        folders(lambda f: [file.write_text("x") for file in (f / "cat").iterdir()], broken="skip"),
        r"/in/cat: no image can be read\. Replace or remove them\.",
    ),
    "images one level deeper": (
        folders(lambda f: put_image(f / "emu/2020/1.png")),
        r"/in/emu has no image: .* There are some in .*/in/emu/2020: move them up\.",
    ),
    "16 bits": (
        folders(deep),
        r"cat/9\.png has more than 8 bits a channel \(Pillow's mode I;16\)\. Convert it",
    ),
    "no test folder": (
        folders(lambda f: 0, test="given"),
        r"no test rows \(sub-folders `train` and `test`\)",
    ),
    "no memory": (
        folders(lambda f: 0, size=[10**6, 10**6]),
        r"load\.size is 1000000 x 1000000, .* GB of disk",
    ),
    "a name that is not UTF-8": (
        folders(lambda f: put_image(f / "cat/caf\udce9.png")),
        r"/in/cat: the name 'caf\\udce9\.png' is not UTF-8\.",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_used_is_named_with_what_to_do(tmp_path, kind):
    refused(tmp_path, *WRONG[kind])
