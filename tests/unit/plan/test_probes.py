"""Probes and waves of validation as plans write them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from switchover.plan.explain import explain
from switchover.plan.load import lint_plan, load_plan
from switchover.plan.probes import HttpProbe
from switchover.plan.validation import Validation, compile_waves

pytestmark = pytest.mark.req("R4")

GOOD = """\
rollback:
  validation:
    functional:
      probes:
        - {name: order, kind: http, path: /orders/1, headers: {Authorization: env:SHOP_TOKEN},
           expect: {values: {state: paid, "items[0].n": 2}, at_most: 500ms}}
        - {name: stock, kind: sql, database: env:SHOP_DB,
           query: "SELECT count(*) FROM stock WHERE n < 0", expect: {value: 0}}
        - {name: errors, kind: metric, metric: error_rate, at_most: 1%, minimum: 200}
        - {name: smoke, kind: command, argv: [bin/smoke, --quick]}
"""


def refused(write: Any, old: str, new: str) -> str:
    """The only fault of the good plan with one change, with its field."""
    assert old in GOOD
    faults = lint_plan(write(add=GOOD.replace(old, new, 1))).faults
    assert len(faults) == 1, faults
    return f"{faults[0].line}: {faults[0].field}: {faults[0].message}; {faults[0].suggestion}"


def test_a_plan_with_every_kind_of_probe_is_good(write: Any) -> None:
    """Without a fault or a warning."""
    found = lint_plan(write(add=GOOD))
    assert (found.faults, found.warnings) == ((), ())


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("env:SHOP_TOKEN", "abc123", "the value of Authorization is a secret; write env:NAME"),
        ("env:SHOP_TOKEN", "'env:http://127.0.0.1/t'", "what follows env: in Authorization is no"),
        ("env:SHOP_TOKEN", "'env:'", "what follows env: in Authorization is no name"),
        ("{Authorization: env:SHOP_TOKEN}", "{X-Auth: abc}", "the value of X-Auth is a secret"),
        ("{Authorization: env:SHOP_TOKEN}", "{X-Via: Bearer abc}", "value of X-Via is a secret"),
        ("{Authorization: env:SHOP_TOKEN}", '{X-Via: "a\\nb: c"}', "characters that no header has"),
        ("state: paid", '"a[*]": 1', "has a wildcard"),
        ("FROM stock", "FROM stock; DROP TABLE stock", "more than one statement"),
        ("SELECT count(*) FROM stock WHERE n < 0", "DELETE FROM stock", "a probe only reads"),
        ("{value: 0}", "{}", "it expects nothing; add value, at_least, at_most or rows"),
        ("{value: 0}", "{value: 0, at_most: 1}", "a bound is here too"),
        ("metric: error_rate", "metric: made_up", "nothing says how 'made_up' is read; add"),
        ("metric: error_rate", "metric: eror_rate", "did you mean 'error_rate'? If not, add"),
        ("at_most: 1%", "at_most: 1%, at_least: 0%", "needs one of at_least and at_most"),
        ("at_most: 1%", "at_most: 250%", "a share lies between 0 and 1"),
        ("argv: [bin/smoke, --quick]", "argv: []", "argv"),
        ("name: stock", "name: order", "two probes are called 'order'; rename one"),
        ("at_most: 500ms", "contract: none.json", "there is no file 'none.json' beside the plan"),
        ("at_most: 500ms", "at_most: 20s", "timeout is shorter"),
        ("path: /orders/1", "path: /orders/1, method: HEAD", "has no body to look into"),
        ("database: env:SHOP_DB", "database: shop.db", "is not env: and the name of a variable"),
        ("functional:\n", "functional:\n      within: 1m\n", "name a later time with within"),
        ("path: /orders/1", "path: /orders/1, colour: red", "colour"),
    ],
)
def test_what_no_probe_can_be_is_refused(write: Any, old: str, new: str, wanted: str) -> None:
    """With the place and what to do instead."""
    assert wanted in refused(write, old, new)


def test_a_refused_header_is_not_repeated(write: Any) -> None:
    """Who pasted a secret after env: finds it neither in the message nor in the advice."""
    told = refused(write, "env:SHOP_TOKEN", "'env:4f1c 99ab'")
    assert "4f1c" not in told


@pytest.mark.parametrize("header", ["Idempotency-Key: order-1", "Accept: application/json",
                                    "X-Author: shop"])  # fmt: skip
def test_a_header_that_is_no_secret_may_stand_in_the_plan(write: Any, header: str) -> None:
    """The key of an idempotent request opens nothing."""
    text = GOOD.replace("Authorization: env:SHOP_TOKEN", header)
    assert lint_plan(write(add=text)).faults == ()


@pytest.mark.parametrize(
    ("probe", "wanted"),
    [
        ("{contract: none.json}", "there is no file 'none.json' beside the plan"),
        ('{values: {"a[*]": 1}}', "has a wildcard"),
        ("{at_most: 20s}", "timeout is shorter"),
    ],
)
def test_the_probe_of_a_trigger_is_held_to_the_same_rules(
    write: Any, probe: str, wanted: str
) -> None:
    """Else it would be asked for nothing, and nobody would know until it matters."""
    trigger = f"{{probe: {{kind: http, name: path, system: candidate, expect: {probe}}}}}"
    found = lint_plan(write(add=f"triggers:\n  red:\n    - {trigger}\n"))
    (fault,) = found.faults
    assert wanted in f"{fault.message}; {fault.suggestion}"
    assert fault.field.startswith("triggers.red[0].probe.")


def test_a_semicolon_in_text_ends_no_statement(write: Any) -> None:
    """Nor does one at the end, in a comment or in a quoted name."""
    query = "SELECT count(*) FROM stock WHERE a = ';' -- x;y"
    text = GOOD.replace("SELECT count(*) FROM stock WHERE n < 0", query)
    assert lint_plan(write(add=text)).faults == ()


def test_waves_have_their_times_and_the_immediate_one_is_always_there() -> None:
    """A plan without probes gets legacy's health path; its own replace that."""
    (only,) = compile_waves(Validation())
    assert (only.name, only.after, only.within, only.own) == ("immediate", 0.0, 120.0, True)
    assert isinstance(only.probes[0], HttpProbe)
    assert only.probes[0].path is None
    probe = {"name": "a", "kind": "http"}
    full = Validation.model_validate(
        {"immediate": {"probes": [{**probe, "name": "front"}]},
         "functional": {"probes": [probe]},
         "business": {"after": "1h", "within": "2h", "probes": [probe]}}
    )  # fmt: skip
    assert [(w.name, w.after, w.within, w.own) for w in compile_waves(full)] == [
        ("immediate", 0.0, 120.0, True),
        ("functional", 300.0, 600.0, False),
        ("business", 3600.0, 7200.0, False),
    ]
    assert [p.name for p in compile_waves(full)[0].probes] == ["front"]


def test_explain_tells_what_will_be_asked(write: Any) -> None:
    """A dry run shows every wave with its time and its probes."""
    found = explain(load_plan(write(add=GOOD)))
    told = [line for line in found.rollback if line.startswith("validated in")]
    assert told == [
        "validated in immediate, 0 s to 2 min after: legacy answers, every router is on legacy, "
        "nobody is served by the candidate",
        "validated in functional, 5 min to 10 min after: order, stock, errors, smoke",
    ]


def test_the_example_of_the_page_is_a_plan(write: Any) -> None:
    """Its contract file apart, which is the reader's own."""
    page = Path(__file__).parents[3] / "docs" / "how-to" / "validate-a-rollback.md"
    text = page.read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    Path("contracts").mkdir()
    Path("contracts/order.json").write_text("{}", "utf-8")
    assert lint_plan(write(add=text)).faults == ()
