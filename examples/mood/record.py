"""Writes recorded exchanges into a folder, for the checks and the validation of adapters.

``python -m examples.mood.record --legacy URL --candidate URL --out DIR --count N`` writes
``candidate.jsonl``, whose lines hold ``request``, ``legacy`` and ``candidate`` as really
sent and answered, and ``requests.jsonl`` with the request bodies alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.mood.actigraphy import default_data, load
from examples.mood.connections import Connections, Unanswered
from examples.mood.depresjon import UnreadableRecording
from examples.mood.generated import SEED
from examples.mood.weeks import cut


async def record(
    legacy: str, candidate: str, weeks: Sequence[dict[str, object]], out: Path, count: int
) -> int:
    """Ask both systems ``count`` times and write what they said; gives the number of lines.

    Raises ``Unanswered``, also for an answer other than 200: such an exchange proves nothing,
    and nothing is written then.
    """
    services = {"legacy": Connections(legacy), "candidate": Connections(candidate)}
    run = uuid.uuid4().hex[:10]
    exchanges: list[dict[str, Any]] = []
    for number in range(count):
        week = weeks[number * len(weeks) // count % len(weeks)]
        exchange: dict[str, Any] = {"request": week}
        body = json.dumps(week).encode()
        headers = {"x-request-id": f"{run}-{number}", "x-switchover-shadow": "1"}
        for system, service in services.items():
            reply = await service.post("/predict", body, headers, timeout=10.0)
            if reply.status != 200:
                raise Unanswered(f"{system} answered {reply.status}: {reply.body[:200]!r}")
            exchange[system] = json.loads(reply.body)
        exchanges.append(exchange)
    for service in services.values():
        service.close()
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "requests.jsonl", [exchange["request"] for exchange in exchanges])
    _write(out / "candidate.jsonl", exchanges)
    return count


def _write(path: Path, documents: Sequence[dict[str, Any]]) -> None:
    lines = (json.dumps(document, separators=(",", ":")) + "\n" for document in documents)
    path.write_text("".join(lines), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 done, 2 bad input, 3 a service does not answer."""
    parser = argparse.ArgumentParser(prog="python -m examples.mood.record", description=__doc__)
    parser.add_argument("--legacy", required=True, help="base URL")
    parser.add_argument("--candidate", required=True, help="base URL")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--data", type=Path, default=default_data(), help="real recordings")
    parser.add_argument("--seed", type=int, default=SEED + 2)
    options = parser.parse_args(arguments)
    if not 1 <= options.count <= 100_000:
        parser.error("--count is 1 to 100000")
    try:
        weeks = cut(load(options.data, seed=options.seed, subjects=40, days=10)).requests()
        if not weeks:
            raise ValueError("no week in these recordings was worn throughout; nothing to send")
        count = asyncio.run(
            record(options.legacy, options.candidate, weeks, options.out, options.count)
        )
    except (Unanswered, TimeoutError) as error:
        print(f"a service did not answer: {error}", file=sys.stderr)
        return 3
    except (UnreadableRecording, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{count} exchanges written to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
