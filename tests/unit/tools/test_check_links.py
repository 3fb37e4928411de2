"""The link check finds dead links, and only those."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import check_links


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "guide").mkdir()
    (tmp_path / "guide" / "other.md").write_text(
        "# The `plan`: a *file*\n\n## Twice\n\n## Twice\n\n```\n# not a heading\n```\n"
    )
    return tmp_path


def check(docs: Path, text: str) -> list[str]:
    file = docs / "index.md"
    file.write_text(text)
    return [
        wrong for _, link in check_links.links(file) if (wrong := check_links.fault(file, link))
    ]


@pytest.mark.parametrize(
    "link",
    [
        "guide/other.md",
        "guide/other.md#the-plan-a-file",
        "guide/other.md#twice-1",
        "#here",
        "https://example.org/nowhere",
        "mailto:team@example.org",
        'guide/other.md "with a title"',
    ],
)
def test_a_link_that_leads_somewhere_passes(docs: Path, link: str) -> None:
    """Files, anchors, repeated headings and web addresses are fine."""
    assert check(docs, f"# Here\n\nSee [this]({link}).\n") == []


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("guide/gone.md", "no such file"),
        ("guide/other.md#gone", "no heading"),
        ("guide/other.md#not-a-heading", "no heading"),
        ("guide/other.md#twice-2", "no heading"),
        ("#gone", "no heading"),
        ("/guide/other.md", "absolute path"),
    ],
)
def test_a_dead_link_is_named_with_its_reason(docs: Path, link: str, reason: str) -> None:
    """Each kind of dead link gives one fault that says why."""
    (wrong,) = check(docs, f"# Here\n\nSee [this]({link}).\n")
    assert link in wrong
    assert reason in wrong


def test_links_inside_code_are_not_links(docs: Path) -> None:
    """Fenced and inline code may show link syntax."""
    assert check(docs, "```\n[a](gone.md)\n```\n\nand `[b](gone.md)`\n") == []


def test_reference_style_links_are_checked(docs: Path) -> None:
    """A ``[label]: target`` line is a link too."""
    (wrong,) = check(docs, "See [it][label].\n\n[label]: gone.md\n")
    assert "gone.md" in wrong


def test_the_exit_code_says_whether_a_link_is_dead(
    docs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 for a clean tree; 1 with FILE:LINE for a dead link."""
    assert check_links.main([str(docs)]) == 0
    (docs / "index.md").write_text("\n[this](gone.md)\n")
    assert check_links.main([str(docs)]) == 1
    assert "index.md:2: gone.md: no such file" in capsys.readouterr().out
