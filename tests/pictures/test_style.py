"""Names in pictures: drawn as they are, or said to be what no font here can draw."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tasks.core.folder import Folder
from tasks.pictures import classes, style

KNOWN = ["dog", "собака", "σκύλος", "كلب", "_under", "a$x^2$b", "<b>", "**bold**", "50 %"]


@pytest.fixture(autouse=True)
def own_fonts_only(monkeypatch):
    """Only the fonts that Matplotlib brings, whatever this machine has."""
    own = [font for font in style.fontManager.ttflist if "mpl-data" in str(font.fname)]
    monkeypatch.setattr(style.fontManager, "ttflist", own)
    style._font.cache_clear()
    style._tell.cache_clear()
    yield
    style._font.cache_clear()


def test_names_that_can_be_drawn_have_no_number(caplog):
    shown = [name.strip("\u200a").replace(r"\$", "$") for name in style.labels(KNOWN)]
    assert shown == KNOWN
    assert not caplog.text


def test_a_name_whose_letters_no_font_has_gets_its_number_and_one_line(tmp_path, caplog):
    names = [*KNOWN, "狗", "🐕 dog", "\x1b[31mred"]
    assert style.labels(names)[-3:] == ["□ (9)", "□ dog (10)", "□[31mred (11)"]
    actual = np.arange(len(names))
    classes.confusion_matrix(Folder(tmp_path), actual, actual, names)  # a warning would fail
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("no font here has all letters of 3 class names, such as `狗`: pictures")


def test_a_letter_that_another_font_has_is_drawn_by_it(tmp_path, monkeypatch):
    """cmr10 stands for a font of the system; each has a letter that the other has not."""
    monkeypatch.setattr(style, "FONT", "cmr10")
    drawn = style.figure(2, 1)
    text = drawn.text(0, 0, style.label("dog собака"))
    axes = drawn.subplots()
    style.save(Folder(tmp_path), "names.png", drawn)
    (other,) = text.get_fontfamily()[1:]
    assert other != "cmr10"
    assert axes.get_xticklabels()[0].get_fontfamily() == ["cmr10", other]
    assert np.asarray(Image.open(tmp_path / "names.png")).std() > 1


def test_a_line_break_in_a_name_is_a_blank():
    assert style.label("new\nline") == "new line"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ankle boot (9)", "Ankle boot (9)"),
        ("round objects of every colour (0)", "round objects of\nevery colour (0)"),
        ("Donaudampfschifffahrtskapitän", "Donaudampfschifffahr\ntskapitän"),
        (
            "the first words " + 30 * "and " + "the last (3)",
            "the first words and\nand…and the last (3)",
        ),
        ("a $ or two", r"a \$ or two"),
    ],
)
def test_a_name_above_a_panel_has_two_lines_and_its_end(name, shown):
    assert style.panel_title(name, 20) == shown


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        ((0, 2_000_000), ["0", "1M", "2M"]),
        ((-50_000, 50_000), ["\N{MINUS SIGN}50k", "0", "50k"]),
        ((3e9, 5e9), ["3bn", "4bn", "5bn"]),
        ((0, 1), ["0.0", "0.5", "1.0"]),
        ((2019, 2021), ["2019", "2020", "2021"]),
    ],
)
def test_large_numbers_on_an_axis_are_short_and_nothing_stands_beside_it(limits, shown):
    drawn = style.figure(3, 2)
    axes = drawn.subplots()
    style.plain(axes)
    axes.set_xlim(*limits)
    axes.set_xticks([limits[0], sum(limits) / 2, limits[1]])
    drawn.canvas.draw()
    assert [each.get_text() for each in axes.get_xticklabels()] == shown
    assert not axes.xaxis.get_offset_text().get_text()


def test_large_numbers_that_are_close_keep_what_tells_them_apart():
    axes = style.figure(3, 2).subplots()
    style.plain(axes)
    axes.set_xticks([1_000_000, 1_000_001, 1_000_002])
    axes.figure.canvas.draw()
    assert len({each.get_text() for each in axes.get_xticklabels()}) == 3
