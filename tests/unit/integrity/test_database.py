from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from switchover.errors import DependencyUnavailable, InputError
from switchover.integrity.database import find_table
from switchover.plan.spec import DataCheck


def check(database: str, table: str = "assessments") -> DataCheck:
    return DataCheck.model_validate(
        {
            "name": "x",
            "database": database,
            "table": table,
            "expectations": [{"expect": "column_to_exist", "arguments": {"column": "id"}}],
        }
    )


@pytest.mark.req("C4")
@pytest.mark.parametrize(
    ("database", "message"),
    [
        ("env:MOOD_DB", "the environment variable MOOD_DB is not set; set it to a SQLAlchemy URL"),
        ("no url", "database is not a SQLAlchemy URL"),
        ("mysql://u:secret@h/d", r"database names mysql; PostgreSQL .* and SQLite"),
        ("sqlite://", "an SQLite database in memory is always empty"),
    ],
)
def test_a_bad_address_is_an_error_of_the_plan(database: str, message: str) -> None:
    """Named, and told from a database that is down."""
    with pytest.raises(InputError, match=message):
        find_table(check(database), {"MOOD_DB": ""})


@pytest.mark.req("C4")
def test_a_bad_variable_is_named_and_its_value_is_not_shown() -> None:
    """It may hold a password."""
    with pytest.raises(InputError, match="variable MOOD_DB is not a SQLAlchemy URL") as caught:
        find_table(check("env:MOOD_DB"), {"MOOD_DB": "hunter2"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.req("C4")
def test_a_missing_sqlite_file_is_unavailable_and_not_created(tmp_path: Path) -> None:
    """An empty file would look like a database without tables."""
    path = tmp_path / "none.sqlite"
    with pytest.raises(DependencyUnavailable, match=r"no file .*start the service"):
        find_table(check(f"sqlite:///{path}"), {})
    assert not path.exists()


@pytest.mark.req("C4")
def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    """It can't be read, so nothing can be said about the data."""
    path = tmp_path / "text.sqlite"
    path.write_text("this is not a database" * 100)
    with pytest.raises(DependencyUnavailable, match="file is not a database"):
        find_table(check(f"sqlite:///{path}"), {})


@pytest.mark.req("C4")
def test_a_missing_table_is_an_error_that_lists_the_others(tmp_path: Path) -> None:
    """The plan's mistake, or a table not made yet; never a passed check."""
    path = tmp_path / "odd name #.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE patients (id INTEGER)")
    connection.close()
    url = f"sqlite:///{path}"
    with pytest.raises(InputError, match=r"no table assessments in .*; it has patients"):
        find_table(check(url), {})
    assert find_table(check(url, "patients"), {}).columns == ("id",)
