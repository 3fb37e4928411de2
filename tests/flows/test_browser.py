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

pytestmark = pytest.mark.timeout(300)

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

    def custom_run(self, deployment: str) -> None:
        """The form of a deployment."""
        self.page.goto(f"{self.address}/deployments/deployment/{deployment}")
        # The tab `Runs` comes first where names are matched by their beginning.
        self.page.get_by_role("button").filter(has_text=re.compile(r"^\s*Run\s*$")).click()
        self.page.get_by_text("Custom run").click()
        self.page.wait_for_url("**/run**")

    def send(self) -> None:
        """Submit a form; leaving before it was taken would call it off."""
        send = self.page.get_by_role("button", name="Submit")
        send.click()
        expect(send).to_be_hidden(timeout=PATIENCE)

    def artifact(self, shown: dict[str, Any]) -> None:
        """The page of an artifact."""
        self.page.goto(f"{self.address}/artifacts/artifact/{shown['latest_id']}")

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


@pytest.mark.req("P11", "P12")
def test_an_engineer_starts_advance_from_its_form_and_reads_the_artifacts(
    land: Any, journey: Any, ui: Ui
) -> None:
    """The form names its fields and says what they mean; the run takes the step as that person.
    The stage table is a table then, and the agreement plot a picture that loads."""
    journey.start()
    journey.step()
    journey.evidence()
    ui.custom_run(land.registered["advance/advance"]["id"])
    ui.page.get_by_text("The migration's short name, as in its plan.").wait_for()
    ui.fill("migration", journey.migration)
    ui.fill("actor", "grace")
    ui.picture("start-advance")
    ui.send()
    entered = journey.asked(lambda: journey.entries("stage_entered")[1:], "step")[0]
    assert (entered.actor, entered.payload["title"]) == ("grace", "canary 25 %")
    shown = journey.asked(lambda: published(journey), "agreement")
    ui.artifact(shown["stages"])
    ui.page.get_by_role("cell", name="canary 25 %").first.wait_for()
    ui.picture("stages-artifact")
    ui.artifact(shown["agreement"])
    picture = ui.page.locator("img[src^='data:image']").first
    picture.wait_for()
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 300
    assert ui.outside == []


def published(journey: Any) -> dict[str, Any]:
    """The run's artifacts, once the last of them is there."""
    shown = journey.artifacts()
    return shown if "agreement" in shown and "stages" in shown else {}


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


@pytest.mark.req("P5", "P11", "R2")
def test_an_engineer_rolls_back_from_the_form_and_reads_how_it_went(
    land: Any, journey: Any, ui: Ui
) -> None:
    """The form offers the three levels and a dry run; sent as it is it rolls the service back, and
    the artifacts show the steps, the validation and the stages."""
    call = {"kind": "http", "method": "GET", "url": f"{land.legacy.url}/routes"}
    step = {"name": "routes", "method": "configuration", "action": call}
    journey.start(stages=STAGES, rollback={"levels": {"service": [step]}})
    journey.step()
    ui.custom_run(land.registered["rollback/rollback"]["id"])
    ui.page.set_viewport_size({"width": 1280, "height": 1180})
    ui.page.get_by_text("Why, for the incident.").wait_for()
    ui.choose("level", "system")
    ui.choose("level", "service")
    ui.fill("migration", journey.migration)
    ui.fill("reason", "the clinic reports missing scores")
    ui.fill("actor", "grace")
    expect(ui.page.get_by_text("nothing is touched")).to_be_visible()
    ui.picture("start-rollback")
    ui.send()
    ui.page.set_viewport_size({"width": 1280, "height": 960})
    [back] = journey.until_written("rolled_back")
    assert (back.payload["actor"], back.payload["reason"]) == (
        "grace", "the clinic reports missing scores",
    )  # fmt: skip
    journey.until_written("rollback_step_done")
    journey.until_written("wave_validated")
    # The run that completes the record publishes it at its end.
    shown = journey.asked(lambda: mitigated(journey), "artifact that says mitigated")
    ui.artifact(shown["rollback"])
    ui.page.get_by_role("cell", name="routes").first.wait_for()
    ui.page.get_by_role("cell", name="passed").first.wait_for()
    ui.picture("rollback-artifact")
    ui.artifact(shown["incident"])
    ui.page.get_by_role("heading", name="Timeline").wait_for()
    ui.picture("incident-artifact")
    ui.artifact(shown["stages"])
    ui.page.get_by_text("is mitigated").first.wait_for()
    ui.picture("stages-after-a-rollback")
    assert ui.outside == []


def mitigated(journey: Any) -> dict[str, Any]:
    """The artifacts, once they show an incident whose harm has ended; else nothing. The stages are
    the last of them."""
    found: dict[str, Any] = journey.artifacts()
    return found if "is mitigated" in found.get("stages", {}).get("data", "") else {}


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
    ui.send()
