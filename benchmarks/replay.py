"""Replay of a million recorded observations: how long from the file to the answer.

python -m benchmarks.replay [ROWS]

Half of the rows are yes/no results and half are durations, of a candidate that begins to fail
near the end. Importing Python and the packages is not counted; reading the plan is.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

from switchover.cli.main import run

PLAN = textwrap.dedent("""\
    switchover: 1
    migration: replayed
    title: A day of traffic
    systems:
      legacy: {version: "1", url: "http://127.0.0.1:9", health: /health}
      candidate: {version: "2", url: "http://127.0.0.1:10", health: /health}
    request_key: {field: id, kind: string}
    stages:
      - {kind: canary, percent: 10, bake: 6h}
      - {kind: canary, percent: 100, bake: 6h}
    gates:
      - {name: success, metric: success_rate, at_least: 95%}
      - {name: latency, metric: prediction_latency_p99, at_most: 200ms}
    """)
START, DAY = 1_780_000_020, 86_400.0


def rows(number: int) -> list[tuple[float, str, str, float]]:
    """A day of results and durations; in its last hundredth, a fifth of the answers fail."""
    rng, made = random.Random(4), []
    for place in range(number // 2):
        at = START + DAY * 2 * place / number
        bad = 0.2 if place > 0.99 * number / 2 else 0.01
        made.append((at, "candidate", "success_rate", float(rng.random() >= bad)))
        made.append((at, "candidate", "prediction_latency_p99", 0.05 * rng.lognormvariate(0, 0.3)))
    return made


def write_csv(file: Path, made: list[tuple[float, str, str, float]]) -> None:
    """The rows with a header."""
    lines = [f"{at:.3f},{system},{metric},{value:.5g}" for at, system, metric, value in made]
    file.write_text("at,system,metric,value\n" + "\n".join(lines) + "\n", encoding="utf-8")


def write_jsonl(file: Path, made: list[tuple[float, str, str, float]]) -> None:
    """An object a line."""
    names = ("at", "system", "metric", "value")
    file.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in made))


def write_parquet(file: Path, made: list[tuple[float, str, str, float]]) -> None:
    """Columns; takes the packages of the parquet extra."""
    import pandas

    pandas.DataFrame(made, columns=["at", "system", "metric", "value"]).to_parquet(file)


def measured(folder: Path, file: Path) -> tuple[float, float, str]:
    """Seconds of one replay by the clock and of the processor, and its answer."""
    out, err = StringIO(), StringIO()
    began, busy = time.perf_counter(), time.process_time()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["judge", "replay", str(folder / "plan.yaml"), "--observations", str(file)])
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    if code != 1:
        raise SystemExit(f"the replay was to say rollback, and ended with {code}: {err.getvalue()}")
    return seconds, busy, err.getvalue().strip()


def main(number: int = 1_000_000) -> None:
    """Print a line per kind of file."""
    writers: dict[str, Callable[[Path, list[tuple[float, str, str, float]]], None]] = {
        "csv": write_csv, "jsonl": write_jsonl,
    }  # fmt: skip
    if find_spec("pyarrow") is not None:
        writers["parquet"] = write_parquet
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plan.yaml").write_text(PLAN, encoding="utf-8")
        made = rows(number)
        small = folder / "small"
        for kind, write in writers.items():
            write(small, made[-2_000:])
            measured(folder, small)  # imports everything
            file = folder / f"recording.{kind}"
            write(file, made)
            seconds, busy, answer = measured(folder, file)
            print(
                f"{kind}: {number:,} rows in {seconds:.2f} s ({busy:.2f} s of processor); {answer}"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
