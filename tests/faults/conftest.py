"""The arena of the fault tests: servers of their own, which may be killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.arena import Arena


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Redis, PostgreSQL, and stand-ins of Slack and Prefect, one set per worker."""
    with Arena(tmp_path_factory.mktemp("faults")) as arena:
        yield arena
