"""Settings of the operator: environment variables, else what `switchover up` left behind."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from switchover.errors import InputError

#: Name of the file in the state directory that `switchover up` writes, KEY=VALUE per line.
ENVIRONMENT_FILE = "environment"


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator decides. Secrets are kept out of ``repr``."""

    state_dir: Path
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    prefect_api_url: str
    prefect_auth: str = field(repr=False)
    slack_token: str = field(repr=False)
    slack_signing_secret: str = field(repr=False)
    slack_api_url: str
    incidents_dir: Path
    allow_commands: frozenset[str]
    audit_key: bytes | None = field(repr=False)
    actor: str
    task_runner: str = "threads"
    dask_address: str = ""
    guards: int = 0
    runbooks_dir: Path = Path("docs/runbooks")


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read ``SWITCHOVER_*`` and ``PREFECT_*`` variables; a variable that is set wins over the
    state directory's environment file. Raises ``InputError`` for a broken file."""
    given = dict(os.environ if environment is None else environment)
    state_dir = Path(given.get("SWITCHOVER_STATE_DIR", ".switchover")).absolute()
    values = {**read_environment(state_dir / ENVIRONMENT_FILE), **given}
    allowed = values.get("SWITCHOVER_ALLOW_COMMANDS", "")
    key = values.get("SWITCHOVER_AUDIT_KEY", "")
    incidents_dir = Path(values.get("SWITCHOVER_INCIDENTS_DIR", "docs/incidents")).absolute()
    return Settings(
        state_dir=state_dir,
        database_url=values.get("SWITCHOVER_DATABASE_URL", f"sqlite:///{state_dir}/ledger.db"),
        redis_url=values.get("SWITCHOVER_REDIS_URL", "redis://127.0.0.1:6379/0"),
        prefect_api_url=values.get("PREFECT_API_URL", "http://127.0.0.1:4200/api"),
        prefect_auth=values.get("PREFECT_API_AUTH_STRING", ""),
        slack_token=values.get("SWITCHOVER_SLACK_TOKEN", ""),
        slack_signing_secret=values.get("SWITCHOVER_SLACK_SIGNING_SECRET", ""),
        slack_api_url=values.get("SWITCHOVER_SLACK_API_URL", ""),
        incidents_dir=incidents_dir,
        allow_commands=frozenset(name for name in allowed.split(",") if name),
        audit_key=key.encode() if key else None,
        actor=values.get("SWITCHOVER_ACTOR", "") or _user(),
        task_runner=values.get("SWITCHOVER_TASK_RUNNER", "") or "threads",
        dask_address=values.get("SWITCHOVER_DASK_ADDRESS", ""),
        guards=_number(values, "SWITCHOVER_GUARDS"),
        runbooks_dir=Path(
            values.get("SWITCHOVER_RUNBOOKS_DIR", "") or incidents_dir.parent / "runbooks"
        ).absolute(),
    )


def read_environment(path: Path) -> dict[str, str]:
    """The KEY=VALUE lines of ``path``; empty when there is no such file."""
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read ({error}); delete the file") from error
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator:
            raise InputError(f"{path}:{number}: not KEY=VALUE; delete the line or the file")
        values[name.strip()] = value.strip()
    return values


def write_environment(path: Path, values: Mapping[str, str]) -> None:
    """Write ``values`` for later commands, readable by the owner only, as it holds secrets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{name}={value}\n" for name, value in sorted(values.items()))
    temporary = path.with_suffix(".new")
    temporary.touch(mode=0o600)
    temporary.chmod(0o600)  # one that a crash or somebody else left behind
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _number(values: Mapping[str, str], name: str) -> int:
    given = values.get(name, "") or "0"
    if not given.isdecimal():
        raise InputError(f"{name} is a whole number from 0, not {given!r}; correct it")
    return int(given)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a user id without a name.
        return f"uid-{os.getuid()}"
