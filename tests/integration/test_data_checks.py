"""Data checks with Great Expectations on real SQLite and PostgreSQL databases, and on frames."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from switchover.errors import DependencyUnavailable, InputError
from switchover.integrity.database import find_table
from switchover.integrity.expectations import GreatExpectationsChecker, to_markdown
from switchover.plan.spec import DataCheck, Expectation

SUITE = [
    {"expect": "column_values_to_not_be_null", "arguments": {"column": "subject"}},
    {"expect": "column_values_to_be_unique", "arguments": {"column": "id"}},
    {
        "expect": "column_values_to_be_between",
        "arguments": {"column": "risk_score", "min_value": 0, "max_value": 1},
    },
    {
        "expect": "column_values_to_be_in_set",
        "arguments": {"column": "system", "value_set": ["legacy", "candidate"]},
    },
]
GOOD = [
    {"id": n, "subject": f"s{n}", "risk_score": n / 100, "system": ["legacy", "candidate"][n % 2]}
    for n in range(100)
]


def data_check(url: str, table: str = "assessments", suite: Any = None) -> DataCheck:
    return DataCheck.model_validate(
        {
            "name": "assessments are whole",
            "database": url,
            "table": table,
            "expectations": SUITE if suite is None else suite,
        }
    )


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    name = "sqlite_url" if request.param == "sqlite" else "postgres_database"
    url: str = request.getfixturevalue(name)
    return url


def fill(url: str, rows: list[dict[str, Any]]) -> None:
    """Make the table and put rows into it."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE assessments (id INTEGER, subject VARCHAR(20), risk_score FLOAT, "
            "system VARCHAR(20), note VARCHAR(20))"
        )
        if rows:
            connection.execute(
                sa.text(
                    "INSERT INTO assessments (id, subject, risk_score, system) "
                    "VALUES (:id, :subject, :risk_score, :system)"
                ),
                rows,
            )
    engine.dispose()


@pytest.mark.req("C4")
def test_whole_data_passes(database: str) -> None:
    """Every rule of the plan and the implicit one on the row count, in the plan's order."""
    fill(database, GOOD)
    result = GreatExpectationsChecker({"MOOD_DB": database}).check(data_check("env:MOOD_DB"))
    assert result.ok, result.summary
    assert result.name == "assessments are whole"
    names = [each["expectation"] for each in result.detail["expectations"]]
    assert names == ["table_row_count_to_be_between", *(each["expect"] for each in SUITE)]
    assert result.detail["expectations"][0]["observed"] == 100
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.req("C4")
def test_bad_rows_are_counted_for_each_expectation(database: str) -> None:
    """Four faults of four kinds: what, where, how many, with masked examples."""
    bad = [
        {"id": 1, "subject": None, "risk_score": 1.5, "system": "candidate"},
        {"id": 1000, "subject": "s", "risk_score": 0.5, "system": "Jane Roe"},
    ]
    fill(database, GOOD + bad)
    result = GreatExpectationsChecker({}).check(data_check(database))
    assert not result.ok
    rows = {each["expectation"]: each for each in result.detail["expectations"]}
    assert rows["table_row_count_to_be_between"]["success"]
    assert rows["column_values_to_not_be_null"]["unexpected_count"] == 1
    assert rows["column_values_to_be_unique"]["unexpected_count"] == 2
    assert rows["column_values_to_be_between"]["examples"] == [1.5]
    assert rows["column_values_to_be_in_set"]["examples"] == ["J… (8 characters)"]
    assert result.summary.startswith("4 of 5 expectations fail on assessments in ")
    assert "Jane" not in json.dumps(result.to_dict())
    assert "| ❌ | column values to be between | risk_score |" in to_markdown(result)


@pytest.mark.req("C4")
@pytest.mark.req("INV6")
def test_an_empty_table_does_not_pass(database: str) -> None:
    """All the plan's rules hold on no rows; the implicit one does not."""
    fill(database, [])
    result = GreatExpectationsChecker({}).check(data_check(database))
    assert not result.ok
    assert result.detail["failed"] == 1
    assert "table row count to be between (observed 0)" in result.summary


@pytest.mark.req("C4")
def test_a_plan_may_say_that_a_table_can_be_empty(database: str) -> None:
    """By a row-count rule of its own."""
    fill(database, [])
    suite = [*SUITE, {"expect": "table_row_count_to_be_between", "arguments": {"min_value": 0}}]
    assert GreatExpectationsChecker({}).check(data_check(database, suite=suite)).ok


@pytest.mark.req("C4")
@pytest.mark.req("INV6")
def test_a_column_of_nulls_is_reported_as_untested(database: str) -> None:
    """The rule holds for want of values, and the summary says so."""
    fill(database, GOOD)
    suite = [{"expect": "column_values_to_match_regex",
              "arguments": {"column": "note", "regex": "^a"}}]  # fmt: skip
    result = GreatExpectationsChecker({}).check(data_check(database, suite=suite))
    assert "warning: nothing to test in note, every value is null" in result.summary


@pytest.mark.req("C4")
@pytest.mark.req("INV6")
def test_a_missing_column_fails_and_is_named(database: str) -> None:
    """Great Expectations gives a traceback; people get the column's name."""
    fill(database, GOOD)
    suite = [{"expect": "column_values_to_not_be_null", "arguments": {"column": "risk"}}]
    result = GreatExpectationsChecker({}).check(data_check(database, suite=suite))
    assert not result.ok
    assert "no column risk; the columns are id, subject, risk_score" in result.summary


@pytest.mark.req("C4")
def test_a_missing_table_is_an_error_and_not_a_result(database: str) -> None:
    """It lists the tables that are there."""
    fill(database, GOOD)
    with pytest.raises(InputError, match=r"no table other in .*; it has assessments"):
        GreatExpectationsChecker({}).check(data_check(database, "other"))


@pytest.mark.req("C4")
def test_a_suite_cannot_change_the_data(database: str) -> None:
    """The connection that rules run on is read-only, whatever SQL the plan's author wrote."""
    fill(database, GOOD)
    engine = sa.create_engine(find_table(data_check(database), {}).url)
    with engine.connect() as connection, pytest.raises(DBAPIError, match=r"read-?only"):
        connection.exec_driver_sql("DELETE FROM assessments")
    engine.dispose()


@pytest.mark.req("C4")
def test_rules_in_sql_run_on_the_table(database: str) -> None:
    """A rule that Great Expectations has no name for is a query for unexpected rows."""
    fill(database, GOOD)
    query = "SELECT * FROM {batch} WHERE system = 'legacy' AND risk_score > 0.9"
    suite = [
        {"expect": "unexpected_rows_expectation", "arguments": {"unexpected_rows_query": query}}
    ]
    result = GreatExpectationsChecker({}).check(data_check(database, suite=suite))
    assert not result.ok
    assert result.detail["expectations"][1]["observed"] == 4


@pytest.mark.req("C4")
@pytest.mark.req("INV6")
def test_a_connection_lost_in_the_middle_is_never_a_pass(postgres_database: str) -> None:
    """The rule's own query ends its connection: the rule counts as failed, with the reason."""
    fill(postgres_database, GOOD)
    query = "SELECT pg_terminate_backend(pg_backend_pid()) FROM {batch}"
    suite = [
        {"expect": "unexpected_rows_expectation", "arguments": {"unexpected_rows_query": query}}
    ]
    result = GreatExpectationsChecker({}).check(data_check(postgres_database, suite=suite))
    assert not result.ok
    assert "terminat" in result.detail["expectations"][1]["error"]


@pytest.mark.req("C4")
def test_an_odd_file_name_is_reached(tmp_path: Path) -> None:
    """Through both layers of quoting."""
    url = f"sqlite:///{tmp_path / 'odd name $x.sqlite'}"
    fill(url, GOOD)
    assert GreatExpectationsChecker({}).check(data_check(url)).ok


@pytest.mark.req("C4")
@pytest.mark.req("INV6")
def test_an_unreachable_database_is_unavailable_and_never_passed() -> None:
    """Nothing listens there; the password stays out of the message."""
    url = "postgresql://ann:hunter2@127.0.0.1:9/mood"
    with pytest.raises(DependencyUnavailable, match="assessments are whole") as caught:
        GreatExpectationsChecker({}).check(data_check(url))
    assert "ann:***@127.0.0.1:9/mood" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.req("C4")
def test_a_table_in_a_schema_and_an_address_with_a_dollar_work(
    postgres_database: str, make_role: Callable[[str], str]
) -> None:
    """``$`` in a password is no variable of Great Expectations; ``schema.table`` is understood."""
    url = make_role("pa$HOME${x}w/:@d")
    engine = sa.create_engine(postgres_database)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA care")
        connection.exec_driver_sql("CREATE TABLE care.assessments AS SELECT 1 AS id")
        connection.exec_driver_sql("GRANT USAGE ON SCHEMA care TO checker")
        connection.exec_driver_sql("GRANT SELECT ON care.assessments TO checker")
    engine.dispose()
    suite = [{"expect": "column_values_to_be_unique", "arguments": {"column": "id"}}]
    result = GreatExpectationsChecker({}).check(data_check(url, "care.assessments", suite))
    assert result.ok, result.summary


@pytest.fixture
def make_role(postgres_database: str) -> Any:
    """Make the role ``checker`` with a password; gives the URL to log in with it."""
    engine = sa.create_engine(postgres_database, isolation_level="AUTOCOMMIT")

    def make(password: str) -> str:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE ROLE checker LOGIN PASSWORD '{password}'")
        url = sa.make_url(postgres_database).set(username="checker", password=password)
        return url.render_as_string(hide_password=False)

    yield make
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP OWNED BY checker")
        connection.exec_driver_sql("DROP ROLE checker")
    engine.dispose()


@pytest.mark.req("C4")
def test_frames_are_checked_like_tables() -> None:
    """The same rules, the same implicit row count."""
    expectations = [Expectation.model_validate(each) for each in SUITE]
    checker = GreatExpectationsChecker({})
    assert checker.check_frame(pd.DataFrame(GOOD), expectations, "good").ok
    bad = pd.DataFrame([*GOOD, GOOD[0] | {"risk_score": 2.0}])
    result = checker.check_frame(bad, expectations, "bad")
    assert result.detail["failed"] == 2
    empty = checker.check_frame(bad.iloc[:0], expectations, "empty")
    assert not empty.ok


@pytest.mark.req("C4")
def test_checks_may_run_at_the_same_time(database: str) -> None:
    """Between two steps all suites of a plan run; none sees another's results."""
    fill(database, GOOD)
    wrong = [{"expect": "table_row_count_to_equal", "arguments": {"value": 7}}]
    checks = [data_check(database), data_check(database, suite=wrong)] * 3
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(GreatExpectationsChecker({}).check, checks))
    assert [result.ok for result in results] == [True, False] * 3
    assert [len(result.detail["expectations"]) for result in results] == [5, 1] * 3


@pytest.mark.req("C4")
def test_great_expectations_calls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Usage statistics are off before it is imported, whatever the environment says."""
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "true")
    GreatExpectationsChecker({}).check_frame(pd.DataFrame(GOOD), [], "x")
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
