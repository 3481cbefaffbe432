"""What a person does in Prefect's UI, in a real browser."""

from __future__ import annotations

import csv
import re
import socket
import threading
from pathlib import Path

import pytest

from tests.support import chromium
from tests.support.served import NEVER, Served, eventually

pytestmark = chromium.needed
REBOUND = "--host-resolver-rules=MAP evil.example 127.0.0.1"  # as its owner's DNS may say


@pytest.fixture(scope="module")
def served(workspaces):
    """On another port than the one that was asked for: that is taken."""
    made = Served(workspaces("browsed", trained=True, home=True))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        try:
            made.begin(PREFECT_SERVER_API_PORT=port)
            assert port not in made.url
            yield made
        finally:
            made.end()


@pytest.fixture(scope="module")
def page(served):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.PATH, args=[*chromium.OPTIONS, REBOUND]
        )
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.set_default_timeout(30_000)
        yield page
        browser.close()


def go(served, page, path: str) -> None:
    eventually(served.answers)
    page.goto(served.url.removesuffix("/api") + path)


def shot(page, name: str) -> None:
    if chromium.SHOTS:
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(chromium.SHOTS, name))


def field(page, title: str, kind: str = "input"):
    return page.locator(
        f'.schema-form-property:has(> .p-label__header :text-is("{title} (Optional)")) {kind}'
    )


def choose(page, title: str, value: str) -> None:
    field(page, title, "button.p-select-button__control").focus()
    page.keyboard.press("ArrowDown")
    page.locator(".p-select-option__text").get_by_text(value, exact=True).click()


def open_the_form(served, page) -> None:
    go(served, page, "/deployments")
    page.get_by_role("link", name="fashion-experiment").click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    change = field(page, "Fit", "button >> text=change").first
    change.wait_for()
    if chromium.SHOTS:
        shot(page, "ui-form-closed.png")
    change.click()
    field(page, "Epochs").wait_for()


def submit(served, page) -> dict:
    """Start the run of the form; what the server knows of it."""
    before = served.runs()
    page.get_by_role("button", name="Submit").click()
    eventually(lambda: served.runs() - before)
    (run,) = served.runs() - before
    return served.get(f"flow_runs/{run}")


def artifact_in_the_list(served, page, run: str, artifact: str):
    """An artifact's name on the page of a run that has ended: until then the list changes."""
    from playwright.sync_api import TimeoutError

    shown = page.locator(f":text('{artifact}'):visible").first
    for _ in range(5):  # a list that could not be read, as SQLite was locked, is not read again
        go(served, page, f"/runs/flow-run/{run}")
        page.locator(".p-tab", has_text="Artifacts").click()
        try:
            shown.wait_for(timeout=30_000)
        except TimeoutError:
            continue
        return shown
    raise AssertionError(f"no {artifact} on the page: {page.inner_text('body')}")


def test_a_person_changes_parameters_starts_a_run_and_reads_the_report(served, page):
    open_the_form(served, page)
    field(page, "Epochs").fill("-5")
    page.get_by_role("button", name="Submit").click()
    page.get_by_text(re.compile("-5 is less than or equal to the minimum of 0")).first.wait_for()

    field(page, "Epochs").fill("12")
    choose(page, "Class Weights", "balanced")
    choose(page, "Flip", "true")
    shot(page, "ui-form.png")
    run = submit(served, page)
    changes = {"epochs": 12, "class_weights": "balanced", "flip": True}
    given = run["parameters"]["changes"].items()
    assert {name: section for name, section in given if section} == {"fit": changes}

    assert served.ended(run["id"], 300)["name"] == "Completed"
    assert "--apply fashion-" in served.state(run["id"])["message"]
    go(served, page, f"/runs/flow-run/{run['id']}")
    page.get_by_text("fashion epochs 12").first.wait_for()
    page.get_by_text("evaluate").first.wait_for()
    shot(page, "ui-run.png")

    artifact_in_the_list(served, page, run["id"], "fashion-experiment-report").click()
    page.get_by_role("heading", name="Most confident mistakes").wait_for()
    shot(page, "ui-report.png")
    pictures = page.locator("img[src^='data:image/png']")
    assert pictures.count() in (6, 7)  # that of near-duplicates is there if there are any
    for k in range(pictures.count()):
        eventually(lambda k=k: pictures.nth(k).evaluate("picture => picture.naturalWidth") > 100)


def test_a_person_watches_a_training_and_cancels_it(served, page):
    open_the_form(served, page)
    field(page, "Epochs").fill(str(NEVER))
    run = submit(served, page)["id"]

    progress = served.artifact(run, "fashion-experiment-progress")
    epoch = rf"epoch \d+/{NEVER}: val_loss [\d.]+, best val_loss [\d.]+ \(epoch \d+\)"
    assert re.match(epoch, progress["description"])
    go(served, page, f"/artifacts/artifact/{progress['id']}")
    page.get_by_text(re.compile(epoch)).first.wait_for()
    shot(page, "ui-progress.png")
    go(served, page, f"/runs/flow-run/{run}")
    page.get_by_text("Running", exact=True).first.wait_for()
    shot(page, "ui-running.png")
    page.get_by_role("button", name="Cancel", exact=True).first.click()
    page.get_by_role("button", name="Confirm", exact=True).click()
    assert served.ended(run)["type"] == "CANCELLED"


FOREIGN_PAGE = """async address => {
    const said = [];
    const ask = async (what, path, content) => {
        const options = content && {
            method: "POST",
            headers: {"content-type": "application/json"},
            body: JSON.stringify(content),
        };
        try {
            const answer = await fetch(address + path, options);
            said.push(what + " " + answer.status);
            return await answer.json();
        } catch (error) {
            return {};
        }
    };
    const {id} = await ask("read", "/deployments/name/pipeline/linear");
    const command = {job_variables: {command: "touch broken-in"}};
    await ask("created", `/deployments/${id || "DEPLOYMENT"}/create_flow_run`, command);
    await fetch(address + "/flow_runs/filter", {method: "POST", mode: "no-cors", body: "{}"})
        .catch(() => 0);
    for (const path of ["/events/out", "/logs/out"])
        await new Promise(done => {
            const socket = new WebSocket(address.replace("http", "ws") + path, "prefect");
            socket.onopen = () => { said.push("listens " + path); done(); };
            socket.onerror = done;
        });
    return said;
}"""


@pytest.fixture(scope="module")
def foreign_site(served):
    """The port of another web site on this machine, whose pages are empty."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield site.server_port
        site.shutdown()


@pytest.mark.parametrize("name", ["127.0.0.1", "evil.example"])
def test_a_foreign_page_reads_nothing_and_starts_nothing(served, page, foreign_site, name):
    before = served.runs()
    page.goto(f"http://{name}:{foreign_site}/")
    assert page.evaluate(FOREIGN_PAGE, served.url) == []
    assert served.runs() == before


def test_a_foreign_name_that_leads_here_gets_no_page(served, page):
    """DNS rebinding: to the browser the server belongs to the foreign site then."""
    address = served.url.replace("127.0.0.1", "evil.example")
    answer = page.goto(f"{address}/flow_runs/count")
    assert answer.status == 403
    script = FOREIGN_PAGE.replace("DEPLOYMENT", served.deployment("linear")["id"])
    assert page.evaluate(script, address) == ["read 403", "created 403"]


HOSTILE = (
    "![t](http://evil.example:SITE/track.png)",
    "[click](javascript:alert(1))",
    '<img src="http://evil.example:SITE/track.png" onerror=alert(1)> <h1>forged</h1>',
    "a\n\n# forged\n\n| x | y |",
)


@pytest.fixture(scope="module")
def hostile_run(served, foreign_site):
    """The artifacts of a run whose classes and columns have hostile names."""
    folder = served.workspace.path
    classes = [name.replace("SITE", str(foreign_site)) for name in HOSTILE]
    with open(folder / "hostile.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["x", f"*b* {classes[0]}", "label"])
        for row in range(80):
            rows.writerow([row % 4 + row / 100, row % 7, classes[row % 4]])
        rows.writerow([1, "", classes[0]])
    served.workspace.run("python", "-m", "flows", "new", "hostile", "hostile.csv")
    served.workspace.set(hostile__fit__epochs=2)
    served.workspace.flow("hostile")
    query = {"sort": "START_TIME_DESC", "limit": 1}
    (run,) = served.post("flow_runs/filter", query)
    return served.artifacts(run["id"])


@pytest.mark.parametrize("name", ["metrics", "checks", "report"])
def test_names_in_the_data_are_text_on_a_page(served, page, foreign_site, hostile_run, name):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    go(served, page, f"/artifacts/artifact/{hostile_run[f'hostile-{name}']['id']}")
    page.locator("table").first.wait_for()
    page.wait_for_timeout(1000)
    shot(page, f"hostile-{name}.png")

    assert not [url for url in asked if "evil" in url]
    assert not page.locator("[href*=javascript], [href*=evil], [src*=evil], [onerror]").count()
    assert not [head for head in page.locator("h1, h2").all_inner_texts() if "forged" in head]
    widths = page.locator("tr").evaluate_all(
        "rows => rows.map(row => [row.closest('table').rows[0].cells.length, row.cells.length])"
    )
    assert all(first == this for first, this in widths)
    for hostile in HOSTILE if name != "checks" else HOSTILE[:1]:
        shown = " ".join(hostile.replace("SITE", str(foreign_site)).split())
        assert shown in " ".join(page.inner_text("body").split())


def test_the_ui_works_under_its_other_name(served, page):
    page.goto(served.url.replace("127.0.0.1", "localhost").removesuffix("/api") + "/deployments")
    page.get_by_role("link", name="fashion-experiment").wait_for()


def test_the_schedule_is_turned_on_and_the_next_runs_are_there(served, page):
    go(served, page, f"/deployments/deployment/{served.deployment('fashion')['id']}")
    row = page.locator(".deployment-schedule-card, .p-card", has_text="At 03:00 AM").last
    row.get_by_role("switch").click()
    eventually(lambda: served.deployment("fashion")["schedules"][0]["active"])

    scheduled = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}, "limit": 5}
    eventually(lambda: served.post("flow_runs/filter", scheduled), 120)
    page.reload()
    page.locator(".p-tab", has_text="Upcoming").click()
    upcoming = page.get_by_role("link", name=served.post("flow_runs/filter", scheduled)[0]["name"])
    upcoming.first.wait_for()
