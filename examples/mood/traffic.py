"""Replays subjects' weeks as requests through the clinic's application.

Open loop: requests leave at the asked rate whether or not earlier ones came back, and
latency counts from the moment a request was due. A request has failed when its caller got
nothing usable. SIGTERM ends it cleanly: requests in flight finish, the report is written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from examples.mood.actigraphy import default_data, load
from examples.mood.application import MEMORY_EVERY, Clinic, NoAssessment
from examples.mood.connections import Connections
from examples.mood.depresjon import UnreadableRecording
from examples.mood.generated import SEED
from examples.mood.tallies import Tallies
from examples.mood.weeks import cut
from switchover import Recorder, Router
from switchover.errors import InputError

log = logging.getLogger(__name__)

#: Requests in flight at most; beyond it the generator waits, and the wait counts as latency.
IN_FLIGHT = 200
LONGEST_SECONDS = 6 * 3600.0


async def replay(
    clinic: Clinic,
    weeks: Sequence[Mapping[str, Any]],
    *,
    rate: float,
    seconds: float,
    stop: asyncio.Event,
    tallies: Tallies,
    report: Path | None = None,
    memory_every: float = MEMORY_EVERY,
) -> Tallies:
    """Send until ``seconds`` are over or ``stop`` is set, then wait for what is in flight."""
    run, slots = uuid.uuid4().hex[:10], asyncio.Semaphore(IN_FLIGHT)
    flying: set[asyncio.Task[None]] = set()
    background = [asyncio.create_task(clinic.watch_memory(memory_every))]
    if report is not None:
        background.append(asyncio.create_task(_keep_reporting(report, tallies, clinic)))
    began = time.perf_counter()
    number = 0
    while not stop.is_set() and (due := began + number / rate) < began + seconds:
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        await slots.acquire()
        week = weeks[number % len(weeks)]
        task = asyncio.create_task(_one(clinic, week, f"{run}-{number}", due, tallies))
        flying.add(task)
        task.add_done_callback(flying.discard)
        task.add_done_callback(lambda _: slots.release())
        number += 1
    await asyncio.gather(*flying)
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    await clinic.close()
    tallies.finish()
    return tallies


async def _one(
    clinic: Clinic, week: Mapping[str, Any], request_id: str, due: float, tallies: Tallies
) -> None:
    try:
        assessment = await clinic.assess(week, request_id)
    except NoAssessment as error:
        tallies.failed(str(error))
    except Exception as error:
        log.exception("the application broke")
        tallies.failed(repr(error))
    else:
        tallies.answered(
            assessment.system, time.perf_counter() - due, fell_back=assessment.fell_back
        )


async def _keep_reporting(report: Path, tallies: Tallies, clinic: Clinic) -> None:
    """A report every second, for whoever watches meanwhile."""
    while True:
        write(report, summary(tallies, clinic))
        await asyncio.sleep(1.0)


def summary(tallies: Tallies, clinic: Clinic) -> dict[str, Any]:
    """The report as JSON."""
    return tallies.as_json() | {
        "migration": clinic.router.migration,
        "mode": clinic.router.mode,
        "epoch": clinic.router.epoch,
        "shadow": dict(clinic.shadows),
    }


def write(report: Path, document: Mapping[str, Any]) -> None:
    """Replace the report in one move, so that a reader never sees half of one."""
    draft = report.with_name(f"{report.name}.{os.getpid()}.part")
    draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    draft.replace(report)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 no request failed, 1 some did, 2 bad input."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    try:
        systems = {name: Connections(getattr(options, name)) for name in ("legacy", "candidate")}
        for name, service in systems.items():
            if not (options.allow_remote or service.is_loopback):
                raise ValueError(
                    f"--{name} {service.host} is not this machine; traffic to others needs "
                    "--allow-remote"
                )
        if not (0 < options.rate <= 5000 and 0 < options.duration <= LONGEST_SECONDS):
            raise ValueError("--rate is above 0 up to 5000, --duration above 0 up to 21600 s")
        if min(options.flush_every, options.memory_every) <= 0:
            raise ValueError("--flush-every and --memory-every are above 0 s")
        recordings = load(options.data, seed=options.seed, subjects=options.subjects, days=10)
        weeks = cut(recordings).requests()
        if not weeks:
            raise ValueError("no week in these recordings was worn throughout; nothing to send")
        options.report.parent.mkdir(parents=True, exist_ok=True)
    except (UnreadableRecording, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        document = asyncio.run(_run(options, systems, weeks))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    write(options.report, document)
    if options.json:
        print(json.dumps(document))
    else:
        print(
            f"{document['requests']} requests, {document['failed']} failed, "
            f"{document['served']}, p99 {document['latency_seconds']['p99'] * 1000:.0f} ms"
        )
    return 1 if document["failed"] else 0


async def _run(
    options: argparse.Namespace,
    systems: Mapping[str, Connections],
    weeks: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    with (
        Router(options.migration, options.redis) as router,
        Recorder(
            options.migration,
            options.redis,
            flush_every=options.flush_every,
            epoch=lambda: router.epoch,
            agreement=lambda: router.agreement,
        ) as recorder,
    ):
        await asyncio.to_thread(router.wait_ready)
        clinic = Clinic(router, recorder, systems["legacy"], systems["candidate"])
        seconds = LONGEST_SECONDS if options.until_stopped else options.duration
        tallies = await replay(
            clinic,
            weeks,
            rate=options.rate,
            seconds=seconds,
            stop=stop,
            tallies=Tallies(options.rate),
            report=options.report,
            memory_every=options.memory_every,
        )
        return summary(tallies, clinic)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.mood.traffic",
        description="Replay subjects' weeks as requests through the clinic's application.",
    )
    parser.add_argument("--migration", default="mood")
    parser.add_argument(
        "--legacy", required=True, help="base URL, for instance http://127.0.0.1:8001"
    )
    parser.add_argument("--candidate", required=True, help="base URL")
    parser.add_argument("--redis", help="Redis URL (default: SWITCHOVER_REDIS_URL)")
    parser.add_argument("--flush-every", type=float, default=5.0, help="seconds between blocks")
    parser.add_argument(
        "--memory-every", type=float, default=MEMORY_EVERY, help="seconds between memory figures"
    )
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--duration", type=float, default=60.0, help="seconds")
    length.add_argument("--until-stopped", action="store_true", help="until SIGTERM, 6 h at most")
    parser.add_argument(
        "--report", type=Path, required=True, help="JSON file, renewed every second"
    )
    parser.add_argument("--data", type=Path, default=default_data(), help="real recordings")
    parser.add_argument("--seed", type=int, default=SEED + 1, help="generated subjects: seed")
    parser.add_argument("--subjects", type=int, default=150, help="generated subjects: how many")
    parser.add_argument("--allow-remote", action="store_true", help="allow other machines")
    parser.add_argument("--json", action="store_true", help="print the report")
    return parser


if __name__ == "__main__":
    sys.exit(main())
