"""Every error Switchover raises on purpose, in one tree.

    SwitchoverError
    ├── InputError                bad input from the caller                    exit 2
    │   ├── PlanError             one or more faults in a plan file
    │   └── UnknownMigration      nobody started one of this name
    ├── DependencyUnavailable     a named dependency can't be reached          exit 3
    │   ├── NoLedger              its database is there and empty: nothing was started yet
    │   └── UpstreamFailed        a system behind the proxy gave no answer
    ├── Refused                   understood, and not allowed now              exit 4
    │   ├── IllegalTransition     the machine has no such edge
    │   ├── LostRace              somebody else took the step first
    │   ├── PointOfNoReturn       a rollback would come too late, and nobody insisted
    │   ├── StaleEpoch            a routing write older than what is stored
    │   ├── StaleClaim            this claim on a work item is void
    │   └── NotAuthorised         this person may not decide this
    │       └── WrongCode         the approval code is not this person's, or they are locked
    └── NegativeAnswer            asked and answered: no                       exit 1
        └── TamperedLedger        the chain does not verify

An error carries the fields a caller may want to act on; its message says what is
wrong and what to do, in one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


class SwitchoverError(Exception):
    """Base of all errors; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class InputError(SwitchoverError):
    """Bad input: the message names the place and what to do."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a plan file. ``line`` and ``column`` count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    field: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" + (f":{self.column}" if self.column else "")
        field = f"{self.field}: " if self.field else ""
        advice = f"; {self.suggestion}" if self.suggestion else ""
        return f"{place}: {field}{self.message}{advice}"


class PlanError(InputError):
    """A plan file has faults; ``faults`` holds every one of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class UnknownMigration(InputError):
    """The ledger holds no migration of this name."""

    def __init__(self, migration: str) -> None:
        self.migration = migration
        super().__init__(f"there is no migration {migration!r} in the ledger; see: switchover list")


class DependencyUnavailable(SwitchoverError):
    """A dependency can't be reached or does not answer in time.

    ``retry_after`` is the wait in seconds that it asked for, if it said one.
    """

    exit_code = 3

    def __init__(self, name: str, detail: str, retry_after: float | None = None) -> None:
        self.name, self.detail, self.retry_after = name, detail, retry_after
        super().__init__(f"{name} {'are' if ' and ' in name else 'is'} unavailable: {detail}")


class NoLedger(DependencyUnavailable):
    """The database holds no ledger yet: nothing was ever started there."""


class UpstreamFailed(DependencyUnavailable):
    """A system behind the proxy gave no answer.

    ``status`` is what HTTP calls it (502, 503, 504); ``sent`` is False when the request
    certainly did not reach the system, so that sending it elsewhere repeats nothing.
    """

    def __init__(self, system: str, detail: str, *, status: int = 502, sent: bool = True) -> None:
        self.system, self.status, self.sent = system, status, sent
        super().__init__(system, detail)


class Refused(SwitchoverError):
    """The request was understood and is not allowed now."""

    exit_code = 4


class IllegalTransition(Refused):
    """The machine has no edge for this event in its present phase."""


class LostRace(Refused):
    """Somebody else wrote the next revision first; read again."""

    def __init__(self, migration: str, expected: int) -> None:
        self.migration, self.expected = migration, expected
        super().__init__(
            f"{migration}: another writer took the step after revision {expected}; "
            "read the state again and decide anew"
        )


class PointOfNoReturn(Refused):
    """A rollback of a migration that has passed its point of no return, without insisting."""

    def __init__(self, migration: str) -> None:
        self.migration = migration
        super().__init__(
            f"{migration} is past its point of no return: legacy may no longer be able to serve; "
            f"hold it and mend the candidate, or insist with `switchover rollback {migration} "
            "--past-the-point-of-no-return`"
        )


class StaleEpoch(Refused):
    """A routing write carries an epoch that is not newer than the stored one."""

    def __init__(self, migration: str, written: int, stored: int, why: str = "") -> None:
        self.migration, self.written, self.stored = migration, written, stored
        super().__init__(
            f"{migration}: routing epoch {written} refused, the store holds {stored}"
            + (f" ({why})" if why else "")
        )


class StaleClaim(Refused):
    """A claim on a work item is void; what its owner brings is refused.

    ``token`` is the claim's fencing token, ``stored`` the one that stands (0 for none).
    """

    def __init__(self, item: str, token: int, stored: int, why: str) -> None:
        self.item, self.token, self.stored = item, token, stored
        super().__init__(f"{item}: the claim with token {token} is void, as {why}; drop its result")


class NotAuthorised(Refused):
    """This person may not take this decision."""


class WrongCode(NotAuthorised):
    """An approval code is not the person's: ``failures`` in a row so far, and until
    ``locked_until`` none is ``compared`` at all."""

    def __init__(
        self,
        approver: str,
        why: str,
        *,
        failures: int = 0,
        locked_until: datetime | None = None,
        compared: bool = True,
    ) -> None:
        self.approver, self.failures, self.locked_until = approver, failures, locked_until
        self.compared = compared
        super().__init__(why)


class NegativeAnswer(SwitchoverError):
    """The question was answered, and the answer is no."""


class TamperedLedger(NegativeAnswer):
    """The hash chain does not verify; ``faults`` says where and how."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))
