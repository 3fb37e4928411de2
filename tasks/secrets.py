"""Secrets of the settings from Prefect's Secret blocks, where the operator asks for it."""

from __future__ import annotations

from collections.abc import Mapping

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

#: Variable that turns it on, with what the blocks' names begin with: `switchover`.
PREFIX = "SWITCHOVER_SECRET_BLOCKS"
#: Settings that may come from a block.
SECRETS = (
    "SWITCHOVER_DATABASE_URL",
    "SWITCHOVER_REDIS_URL",
    "SWITCHOVER_SLACK_TOKEN",
    "SWITCHOVER_AUDIT_KEY",
)


def block_name(prefix: str, variable: str) -> str:
    """The block of a setting: ``switchover-database-url`` for ``SWITCHOVER_DATABASE_URL``."""
    rest = variable.removeprefix("SWITCHOVER_").lower().replace("_", "-")
    return f"{prefix}-{rest}"


def with_blocks(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` with what is missing of :data:`SECRETS` and there is a Secret block for.

    A variable that is set wins. A block that is missing leaves the setting as it is; a server
    that can't be asked raises, as a run must not go on with another database than the others.
    """
    values = dict(environment)
    prefix = values.get(PREFIX, "")
    missing = [variable for variable in SECRETS if not values.get(variable)]
    if not prefix or not missing:
        return values
    for variable in missing:
        secret = _read(block_name(prefix, variable))
        if secret is not None:
            values[variable] = secret
    return values


def _read(name: str) -> str | None:
    """The value of a Secret block, None where there is no such block."""
    with get_client(sync_client=True) as client:
        try:
            document = client.read_block_document_by_name(name, "secret")
        except ObjectNotFound:
            return None
    return str(document.data["value"])
