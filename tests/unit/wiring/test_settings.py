"""What `switchover up` leaves for later commands."""

from __future__ import annotations

from pathlib import Path

from switchover.wiring.settings import read_environment, write_environment


def test_the_environment_file_is_the_owners_whatever_lay_there_before(tmp_path: Path) -> None:
    """It holds passwords."""
    file = tmp_path / "environment"
    left = tmp_path / "environment.new"
    left.touch()
    left.chmod(0o644)
    write_environment(file, {"A": "secret"})
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_environment(file) == {"A": "secret"}
