from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from switchover.plan.proxies import Proxy
from switchover.routing.proxies.__main__ import main

DOCUMENT = Path(__file__).parents[4] / "docs" / "how-to" / "drive-a-proxy.md"
TEXT = DOCUMENT.read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)

pytestmark = pytest.mark.req("T11")


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(arguments) == 0
    return [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_haproxy_lines_of_the_page_are_those_that_are_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a reader pastes is what the adapter expects."""
    shown = [line.strip() for text in blocks("haproxy") for line in text.splitlines()]
    for line in printed(capsys, "haproxy", "mood-v3", "X-Request-Key"):
        assert line.startswith("#") or line in shown, line


def test_nginx_file_of_the_page_is_the_one_that_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first generated file is shown as it is."""
    shown = [line.strip() for text in blocks("nginx") for line in text.splitlines()]
    for line in printed(capsys, "nginx", "mood-v3", "X-Request-Key"):
        assert line in shown, line


def test_sections_of_the_page_are_valid() -> None:
    """Every example of ``proxies`` is one that a plan may hold, and each kind has one."""
    sections = [YAML(typ="safe").load(text)["proxies"] for text in blocks("yaml")]
    found = [
        TypeAdapter(list[Proxy]).validate_python(_plain(section), strict=False)
        for section in sections
    ]
    kinds = {proxy.kind for section in found for proxy in section}
    assert kinds == {"haproxy", "nginx", "traefik", "gateway_api"}


def _plain(section: list[dict[str, object]]) -> list[dict[str, object]]:
    return [dict(proxy) for proxy in section]


def test_python_of_the_page_compiles() -> None:
    """The follower's program is a program."""
    for text in blocks("python"):
        compile(text, str(DOCUMENT), "exec")


def test_what_is_no_header_ends_as_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The command says it on standard error, without a traceback."""
    assert main(["haproxy", "mood-v3", "X Key"]) == 4
    assert capsys.readouterr().err == "'X Key' is not the name of a header\n"
