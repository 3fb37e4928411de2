"""A connection to PostgreSQL that gives up on a server which takes a statement and never answers.

The server's own limits do nothing where it is frozen or its disk stalls, and TCP's nothing where
its kernel still acknowledges: whoever rolls back would wait for the record for ever.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

_Result = TypeVar("_Result")

#: Seconds for one answer: longer than the server itself gives a statement.
ANSWER_TIMEOUT = 35.0


class PatientConnection(psycopg.Connection[Any]):
    """Every wait for the server ends; the connection is closed then, as nobody knows its state."""

    def wait(self, gen: Generator[Any, Any, _Result], *arguments: Any, **options: Any) -> _Result:
        """Consume ``gen``, which talks to the server; raises ``psycopg.OperationalError``."""
        return super().wait(self._limited(gen), *arguments, **options)

    def _limited(self, gen: Generator[Any, Any, _Result]) -> Generator[Any, Any, _Result]:
        deadline = time.monotonic() + ANSWER_TIMEOUT
        try:
            wanted = next(gen)
            while True:
                # Nothing is sent every moment in which the server has said nothing.
                ready = yield wanted
                if not ready and time.monotonic() > deadline:
                    gen.close()
                    self.close()
                    raise psycopg.OperationalError(
                        f"it took a statement and gave no answer within {ANSWER_TIMEOUT:g} s"
                    )
                wanted = gen.send(ready)
        except StopIteration as end:
            result: _Result = end.value
            return result
