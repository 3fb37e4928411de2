"""Print what a proxy's configuration needs: ``python -m switchover.routing.proxies --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from switchover.errors import SwitchoverError
from switchover.machine.snapshot import Snapshot
from switchover.routing.proxies.haproxy import haproxy_lines
from switchover.routing.proxies.nginx import split_file


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the lines, and give the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m switchover.routing.proxies",
        description="Print the lines for HAProxy, or the first generated file of nginx.",
    )
    parser.add_argument("proxy", choices=("haproxy", "nginx"))
    parser.add_argument("migration", help="the plan's slug")
    parser.add_argument("header", help="request header that carries the request key")
    parser.add_argument("--key", choices=("string", "integer"), default="string")
    parser.add_argument("--legacy", default="legacy", help="backend or upstream of legacy")
    parser.add_argument("--candidate", default="candidate", help="the same of the candidate")
    given = parser.parse_args(arguments)
    sides = {"legacy": given.legacy, "candidate": given.candidate}
    try:
        if given.proxy == "nginx":
            snapshot = Snapshot(given.migration, 0, key=given.key)
            print(split_file(snapshot, given.header, **sides), end="")
            return 0
        section, lines = haproxy_lines(given.migration, given.header, key=given.key, **sides)
    except SwitchoverError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"# in the section global:\n{section}\n\n# in the frontend:\n{lines}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
