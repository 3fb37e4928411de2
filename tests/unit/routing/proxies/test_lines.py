from __future__ import annotations

import re

import pytest

from switchover.errors import Refused
from switchover.machine.snapshot import Snapshot
from switchover.routing.proxies.haproxy import haproxy_lines, variable
from switchover.routing.proxies.nginx import split_file

pytestmark = pytest.mark.req("T11")


def document(split: int, **changes: str) -> Snapshot:
    return Snapshot("mood-v3", 7, "gradual", split, **{"salt": "s", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("split", [1, 10, 1_000, 2_550, 9_999])
def test_nginx_share_is_exact_to_a_hundredth_of_a_percent(split: int) -> None:
    """split_clients takes two decimals, which is the resolution of a split."""
    share = re.search(r"^ +(\d+)\.(\d\d)% candidate;$", split_file(document(split), "X-K"), re.M)
    assert share is not None
    assert int(share[1] + share[2]) == split


@pytest.mark.parametrize(("split", "side"), [(0, "legacy"), (10_000, "candidate")])
def test_nginx_ends_of_the_ramp_need_no_hash(split: int, side: str) -> None:
    """nginx refuses 0 %, and at the ends there is nothing to draw."""
    text = split_file(document(split), "X-K")
    assert "split_clients" not in text
    assert f"default {side};" in text


@pytest.mark.parametrize("percent", [1, 9, 10, 25, 99])
@pytest.mark.req("T2")
def test_nginx_rules_of_integer_keys_are_key_mod_100(percent: int) -> None:
    """The two patterns take exactly the numbers whose remainder is below the percentage."""
    text = split_file(document(percent * 100, key="integer"), "X-K")
    rules = re.findall(r'"~(.+)" (\w+);', text)
    for key in range(-1_250, 1_250):
        side = next(side for pattern, side in rules if re.search(pattern, str(key)))
        assert side == ("candidate" if key % 100 < percent else "legacy"), key


@pytest.mark.parametrize(
    "changes",
    [{"salt": 'x"; }'}, {"header": "X K"}, {"legacy": "a;b"}, {"candidate": "$x"}, {"legacy": ""}],
    ids=str,
)
def test_nothing_foreign_gets_into_nginx(changes: dict[str, str]) -> None:
    """Names that nginx would read as more than a name are refused."""
    salt = changes.pop("salt", "s")
    given = {"header": "X-K", **changes}
    with pytest.raises(Refused, match="can't stand in nginx's configuration"):
        split_file(document(1_000, salt=salt), given.pop("header"), **given)


def test_haproxy_variables_of_two_migrations_stay_apart() -> None:
    """Slugs have hyphens, variables have underscores, and no slug has one."""
    assert variable("mood-v3") == "proc.switchover_mood_v3"
    assert len({variable(slug) for slug in ("a-b", "a-bc", "ab", "a--b")}) == 4


@pytest.mark.parametrize("header", ["", "X Key", "X-Key)", "X-Key,lower"])
def test_haproxy_header_is_a_plain_name(header: str) -> None:
    """A header that would change the expression is refused."""
    with pytest.raises(Refused, match="not the name of a header"):
        haproxy_lines("mood", header)
