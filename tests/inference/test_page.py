"""What a person does on a model's page, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import chromium
from tests.support.answering import Answering

pytestmark = chromium.needed


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium.PATH, args=chromium.OPTIONS)
        yield made
        made.close()


@pytest.fixture
def page(browser):
    """A page whose console has nothing to complain of, such as its own policy."""
    made = browser.new_page(viewport={"width": 1200, "height": 800})
    made.set_default_timeout(15_000)
    complaints: list[str] = []
    made.on("console", lambda message: complaints.append(message.text))
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    made.close()
    assert not [each for each in complaints if "401" not in each and "422" not in each]


# What a browser tells a page of a file that somebody drops there, or pastes.
DROPPED = """([how, name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
  const event = how === "drop"
    ? new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})
    : new ClipboardEvent("paste", {clipboardData: data, bubbles: true});
  document.querySelector(".drop").dispatchEvent(event);
}"""


def shot(page, name: str) -> None:
    if chromium.SHOTS:
        page.screenshot(path=Path(chromium.SHOTS, name), full_page=True)


def test_images_are_dropped_or_tried_and_answered_with_bars(servers, page, project):
    page.goto(servers("pictures").url)
    page.get_by_role("button", name="Try an image").click()
    page.locator(".predicted").wait_for()
    assert page.locator(".predicted").inner_text() in ("cat", "dog")
    shares = [float(each.rstrip(" %")) for each in page.locator("dd:not(.track)").all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    widths = [each.bounding_box()["width"] for each in page.locator("dd.track i").all()]
    assert widths[0] >= widths[1]
    page.evaluate("document.querySelector('dd:last-child').textContent = '100.0 %'")
    fits = "(dd => [dd.clientHeight < 30, dd.scrollWidth <= dd.clientWidth])"
    assert page.evaluate(f"{fits}(document.querySelector('dd:last-child'))") == [True, True]
    shot(page, "images.png")

    some = sorted((project / "sources/pictures/dog").iterdir())[:3]
    page.locator("#file").set_input_files(some)
    page.locator(".answer:nth-child(3)").wait_for()
    assert page.locator(".of").all_inner_texts() == [each.name for each in some]

    for how in ("drop", "paste"):
        page.evaluate(DROPPED, [how, f"{how}.png", list(some[0].read_bytes())])
        page.get_by_text(f"{how}.png", exact=True).wait_for()
        assert page.locator(".predicted").count() == 1


def test_a_form_is_filled_in_by_the_keyboard_and_its_mistakes_are_told(servers, page):
    page.goto(servers("people").url)
    city = page.get_by_label("city")
    city.wait_for()
    assert page.get_by_label("member").input_value() in ("true", "false")
    assert page.get_by_label("joined").get_attribute("type") == "date"
    city.fill("Paris")
    city.press("Enter")
    page.locator(".predicted").wait_for()
    assert page.locator(".of").inner_text() == "y"  # the target
    assert "the training did not know this word" in page.locator("#answers").inner_text()

    number = page.get_by_label("a", exact=True)
    number.press_sequentially("e")  # begins no number
    number.press("Enter")
    page.get_by_text("Not asked: a field cannot be read.").wait_for()
    assert page.locator(".predicted").count() == 0
    number.fill("1")

    page.get_by_label("joined").fill("")
    page.keyboard.press("Enter")
    page.get_by_text("stays").first.wait_for()
    page.evaluate("model.columns[0].name = 'nothing'; tableForm()")
    page.get_by_role("button", name="Ask").click()
    page.get_by_text("row 1 has no column a.").wait_for()


def test_a_file_of_rows_is_answered_row_by_row(servers, page, project):
    page.goto(servers("people").url)
    page.locator("#file").set_input_files(project / "sources/people.csv")
    page.get_by_text("row 50: y", exact=True).wait_for()
    assert "and 10 more rows" in page.locator("#answers").inner_text()


def test_numbers_are_typed_and_what_is_none_is_told(servers, page):
    page.goto(servers("points").url)
    text = page.get_by_label("Separated by commas")
    text.fill("1, 2")
    page.get_by_role("button", name="Ask").click()
    page.locator(".predicted").wait_for()
    text.fill("1, x")
    page.get_by_role("button", name="Ask").click()
    page.get_by_text("These are no numbers").wait_for()
    text.fill("1, 2, 3")
    page.get_by_role("button", name="Ask").click()
    page.get_by_text("A row has the shape (3,). Expected (2,).").wait_for()


@pytest.mark.parametrize("pipeline", ["pictures", "people", "points"])
def test_a_narrow_screen_needs_no_scrolling_to_the_side(servers, page, pipeline):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(servers(pipeline).url)
    page.locator("#how").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    shot(page, f"{pipeline}-narrow.png")


def test_the_routes_are_shown_and_nothing_is_asked_elsewhere(servers, page):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(servers("people").url)
    page.get_by_role("link", name="All routes").click()
    page.get_by_text("POST /predict").wait_for()
    assert page.locator("article").count() > 8
    assert all(url.startswith(servers("people").url) for url in asked)


def test_a_server_with_a_token_asks_for_it_once(project, page):
    with Answering(project, "points", token="sesame") as server:
        page.goto(server.url)
        page.get_by_label("Token").fill("sesame")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Ask").click()
        page.locator(".predicted").wait_for()
        assert "Authorization" in page.locator("#curl").inner_text()
        page.reload()
        page.get_by_role("button", name="Ask").wait_for()
