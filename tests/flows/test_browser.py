"""What engineers and approvers do in the Prefect UI, done in a real Chromium.

With ``SWITCHOVER_SCREENSHOTS`` the pictures of docs/images are taken anew into that folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(300)]

STAGES = [
    {"kind": "checks"},
    {"kind": "shadow", "bake": "2s"},
    {"kind": "canary", "percent": 25, "bake": "2s", "approval": True},
    {"kind": "canary", "percent": 100, "bake": "2s"},
]
#: Nothing of its own to load or report, and no sandbox, which containers don't allow.
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Milliseconds that a part of a page may take on a busy machine.
PATIENCE = 30_000


class Ui:
    """Prefect's UI in a window, logged in; ``outside`` are the addresses that it called."""

    def __init__(self, page: Page, address: str, auth: str, pictures: Path) -> None:
        self.page, self.address, self._pictures = page, address, pictures
        self.outside: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self._note(request.url))
        page.goto(address)
        page.locator("input[type=password]").fill(auth)
        page.get_by_role("button", name="Login").click()
        page.wait_for_url("**/dashboard")

    def _note(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.outside.append(url)

    def deployment(self, identity: str) -> None:
        """The page of a deployment."""
        self.page.goto(f"{self.address}/deployments/deployment/{identity}")

    def field(self, label: str) -> Locator:
        """The part of a form with a label."""
        name = self.page.locator(
            ".schema-form-property__label", has_text=re.compile(rf"^{label}( \(Optional\))?$")
        )
        return self.page.locator(".p-label", has=name).last

    def fill(self, label: str, text: str) -> None:
        """Write into a text field."""
        self.field(label).locator("textarea, input").first.fill(text)

    def choose(self, label: str, option: str) -> None:
        """Choose from a list, by the keyboard: a click on its label closes it again."""
        self.field(label).locator(".p-select-button__control").focus()
        self.page.keyboard.press("Space")
        self.page.locator(".p-select-option__text", has_text=option).click()

    def picture(self, name: str) -> None:
        """Take a picture of what is shown."""
        self.page.wait_for_timeout(500)  # the page fades in
        file = self._pictures / f"{name}.png"
        self.page.screenshot(path=file)
        assert file.stat().st_size > 5_000


@pytest.fixture
def ui(land: Any, program: Callable[[str], Path], tmp_path: Path) -> Iterator[Ui]:
    """A window of Chromium on the Prefect server of the tests."""
    chromium = program("chromium")
    pictures = Path(os.environ.get("SWITCHOVER_SCREENSHOTS") or tmp_path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        page = browser.new_page(viewport={"width": 1280, "height": 960})
        server = land.stack.server
        yield Ui(page, server.ui_url, server.auth, pictures)
        page.screenshot(path=tmp_path / "last.png")  # what it looked like when a test failed
        browser.close()


@pytest.mark.req("P12")
def test_an_engineer_starts_advance_from_its_form(land: Any, journey: Any, ui: Ui) -> None:
    """The form names its fields and says what they mean; the run takes the step as that person."""
    journey.start(stages=STAGES)
    ui.deployment(land.registered["advance/advance"]["id"])
    # The tab `Runs` comes first where names are matched by their beginning.
    ui.page.get_by_role("button").filter(has_text=re.compile(r"^\s*Run\s*$")).click()
    ui.page.get_by_text("Custom run").click()
    ui.page.wait_for_url("**/run**")
    ui.page.get_by_text("The migration's short name, as in its plan.").wait_for()
    ui.fill("migration", journey.migration)
    ui.fill("actor", "grace")
    ui.picture("start-advance")
    send = ui.page.get_by_role("button", name="Submit")
    send.click()
    expect(send).to_be_hidden(timeout=PATIENCE)  # it was taken; leaving before would call it off
    [entered] = journey.until_written("stage_entered")
    assert (entered.actor, entered.payload["title"]) == ("grace", "shadow")
    assert ui.outside == []


@pytest.mark.req("P6", "P12")
def test_an_approver_resumes_the_paused_run(journey: Any, ui: Ui) -> None:
    """The form shows the evidence; a wrong person is told so in the next form, the right one moves
    the split, and the ledger has who, why and by which way."""
    journey.start(stages=STAGES)
    journey.step()
    run = journey.ask()
    open_form(ui, run)
    answer(ui, "carl", "I started it")
    # The run asks again, and says why the answer before was not accepted.
    page = ui.page
    for _ in range(20):
        open_form(ui, run)
        if page.get_by_text("Not accepted:").count():
            break
        page.wait_for_timeout(1000)
    expect(page.get_by_text("may not approve this").first).to_be_visible()
    answer(ui, "ada", "seen the evidence", picture="approve-form")
    assert journey.ended(run)[0] == "COMPLETED"
    [decided] = journey.entries("approval_decided")
    assert decided.payload["approver"] == "ada"
    assert decided.payload["reason"] == "seen the evidence"
    assert decided.payload["via"] == "prefect"
    assert journey.case.state.split == 2500
    assert ui.outside == []


@pytest.mark.req("P11")
def test_the_artifacts_are_pages_a_person_can_read(journey: Any, ui: Ui) -> None:
    """The stage table is a table, and the agreement plot a picture that loads."""
    journey.start(stages=STAGES)
    journey.step()
    journey.evidence()
    journey.advance()
    shown = journey.artifacts()
    ui.page.goto(f"{ui.address}/artifacts/artifact/{shown['stages']['latest_id']}")
    ui.page.get_by_role("cell", name="canary 25 %").first.wait_for()
    ui.picture("stages-artifact")
    ui.page.goto(f"{ui.address}/artifacts/artifact/{shown['agreement']['latest_id']}")
    picture = ui.page.locator("img[src^='data:image']").first
    picture.wait_for()
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 300


def open_form(ui: Ui, run: str) -> None:
    """The form of a suspended run, with the evidence."""
    ui.page.goto(f"{ui.address}/runs/flow-run/{run}")
    ui.page.get_by_role("button", name="Resume").click()
    ui.page.get_by_text("Every gate passes.").wait_for()


def answer(ui: Ui, approver: str, reason: str, picture: str = "") -> None:
    """Fill the form in and send it."""
    ui.choose("Decision", "approve")
    ui.fill("Approver", approver)
    ui.fill("Reason", reason)
    if picture:
        ui.picture(picture)
    send = ui.page.get_by_role("button", name="Submit")
    send.click()
    expect(send).to_be_hidden(timeout=PATIENCE)  # it was taken; leaving before would call it off
