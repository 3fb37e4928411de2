"""Data-integrity checks with Great Expectations (C4), on SQL tables and on frames."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from switchover.integrity.catalogue import build
from switchover.integrity.database import Table, environment, find_table, printable, reaching
from switchover.integrity.library import load_library, open_context, using_library
from switchover.integrity.report import row, to_markdown
from switchover.plan.spec import DataCheck, Expectation
from switchover.ports import CheckResult

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GreatExpectationsChecker", "to_markdown"]


class GreatExpectationsChecker:
    """Runs suites; implements ``DataChecker``. ``environ`` is where ``env:NAME`` is looked up."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = environment() if environ is None else environ

    def check(self, check: DataCheck) -> CheckResult:
        """Run a suite on its table, over a read-only connection.

        Bad data is a result. Raises ``InputError`` for a table, an expectation or an argument
        that does not exist, ``DependencyUnavailable`` when the database does not answer.
        """
        began = time.perf_counter()
        table = find_table(check, self._environ)
        with using_library:
            suite = build(check.expectations, f"data check {check.name!r}")
            rows = _run_on_table(table, suite)
        if any(each["error"] for each in rows):
            # Great Expectations turns a lost database into failed rules: ask it once more.
            with reaching(f"data check {check.name!r}", table.url) as connection:
                connection.exec_driver_sql("SELECT 1")
        place = f"{check.table} in {printable(table.url)}"
        return _conclude(check.name, place, rows, table.columns, began)

    def check_frame(
        self, frame: pd.DataFrame, expectations: Sequence[Expectation], name: str
    ) -> CheckResult:
        """Run a suite on a pandas frame; raises ``InputError`` as `check` does."""
        began = time.perf_counter()
        with using_library:
            suite = build(expectations, f"data check {name!r}")
            source = open_context().data_sources.add_pandas(name="frame")
            asset = source.add_dataframe_asset(name="frame")
            batch = asset.add_batch_definition_whole_dataframe("all").get_batch(
                {"dataframe": frame}
            )
            rows = _rows(batch, suite)
        return _conclude(name, "the frame", rows, tuple(map(str, frame.columns)), began)


def _run_on_table(table: Table, suite: Sequence[Any]) -> list[dict[str, Any]]:
    # Great Expectations would put variables in for $NAME, but here a $ is written as %24.
    address = table.url.render_as_string(hide_password=False)
    sources = open_context().data_sources
    add = sources.add_sqlite if address.startswith("sqlite") else sources.add_postgres
    source = add(name="table", connection_string=address)
    try:
        asset = source.add_table_asset(name="table", table_name=table.name)
        return _rows(asset.add_batch_definition_whole_table("all").get_batch(), suite)
    finally:
        source.get_execution_engine().close()
        source.get_engine().dispose()


def _rows(batch: Any, suite: Sequence[Any]) -> list[dict[str, Any]]:
    answers = batch.validate(
        load_library().ExpectationSuite(name="suite", expectations=list(suite)),
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": 20},
    ).results
    answers = sorted(answers, key=lambda answer: answer.expectation_config.meta["position"])
    return [row(answer) for answer in answers]


def _conclude(
    name: str,
    place: str,
    rows: list[dict[str, Any]],
    columns: Sequence[str],
    began: float,
) -> CheckResult:
    for each in rows:
        unknown = [column for column in each["column"].split(", ") if column not in columns]
        if each["error"] and each["column"] and unknown:
            each["error"] = f"no column {unknown[0]}; the columns are {', '.join(columns)}"
    failed = [each for each in rows if not each["success"]]
    if failed:
        first = failed[0]
        what = " ".join(filter(None, [first["expectation"].replace("_", " "), first["column"]]))
        summary = (f"{len(failed)} of {len(rows)} expectations fail on {place}; "
                   f"first: {what} ({_why(first)}); correct the data, or the plan")  # fmt: skip
    else:
        summary = f"all {len(rows)} expectations hold on {place}"
    untested = [each["column"] for each in rows if each["note"]]
    if untested:
        summary += f"; warning: nothing to test in {', '.join(untested)}, every value is null"
    detail = {"expectations": rows, "failed": len(failed), "place": place}
    return CheckResult(name, not failed, summary, time.perf_counter() - began, detail)


def _why(failed: Mapping[str, Any]) -> str:
    if failed["error"]:
        return str(failed["error"])
    if failed["unexpected_count"] is not None:
        return f"{failed['unexpected_count']} unexpected"
    if failed["observed"] is not None:
        return f"observed {failed['observed']}"
    return "it does not hold"
