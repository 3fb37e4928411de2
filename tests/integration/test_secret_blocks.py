"""Settings from Prefect's Secret blocks, on a real server."""

from __future__ import annotations

from uuid import uuid4

import pytest
from prefect.blocks.system import Secret

from switchover.testing.embedded import PrefectServer
from tasks.secrets import PREFIX, block_name, with_blocks


@pytest.mark.req("P12")
def test_a_missing_setting_comes_from_its_block(prefect_api: PrefectServer) -> None:
    """What is set wins over the block; what has no block stays missing."""
    prefix = f"clinic-{uuid4().hex[:6]}"
    for variable in ("SWITCHOVER_SLACK_TOKEN", "SWITCHOVER_REDIS_URL"):
        Secret(value=f"block of {variable}").save(block_name(prefix, variable))
    found = with_blocks({PREFIX: prefix, "SWITCHOVER_REDIS_URL": "redis://mine"})
    assert found == {
        PREFIX: prefix,
        "SWITCHOVER_SLACK_TOKEN": "block of SWITCHOVER_SLACK_TOKEN",
        "SWITCHOVER_REDIS_URL": "redis://mine",
    }


@pytest.mark.req("P12")
def test_without_the_variable_no_block_is_read() -> None:
    """Blocks can be read by whoever reaches Prefect, so they are asked for, never assumed."""
    assert with_blocks({"PREFECT_API_URL": "http://127.0.0.1:9/api"}) == {
        "PREFECT_API_URL": "http://127.0.0.1:9/api"
    }


@pytest.mark.req("P12")
def test_names_of_blocks_follow_the_variables() -> None:
    """Prefect takes lower-case letters, digits and hyphens."""
    assert block_name("switchover", "SWITCHOVER_DATABASE_URL") == "switchover-database-url"
