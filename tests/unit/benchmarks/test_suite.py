"""A suite of figures: what was measured is written at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import suite

PAGE = "".join(
    f"<!-- {name}: measured -->\nold\n<!-- {name}: end -->\n"
    for name in ("machine", "first", "second")
)


def figures(name: str) -> dict[str, Any]:
    return {"title": name, "rows": [{"what": name, "p50_ms": 1.0}], "parameters": {},
            "measured_at": "now"}  # fmt: skip


@pytest.mark.req("P9")
def test_a_run_that_is_cut_keeps_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first part is in the page and the JSON when the second fails."""

    def measure(name: str, quick: bool, package: str) -> dict[str, Any]:
        if name == "second":
            raise KeyboardInterrupt
        return figures(name)

    (tmp_path / "some.md").write_text(PAGE, encoding="utf-8")
    monkeypatch.setattr(suite, "FOLDER", tmp_path)
    monkeypatch.setattr(suite, "measure", measure)
    monkeypatch.setattr("sys.argv", ["some"])
    whole = suite.Suite("some", "", ("first", "second"), ("redis",), lambda parts: "<svg/>")
    with pytest.raises(KeyboardInterrupt):
        whole.main()
    assert list(json.loads((tmp_path / "some.json").read_text())["parts"]) == ["first"]
    page = (tmp_path / "some.md").read_text()
    assert "| first | 1 |" in page
    assert "old" not in page, "figures of another machine stand beside these"
