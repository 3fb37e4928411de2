"""Reads folders of recordings in the layout of the Depresjon data set.

Files are ``condition_*.csv`` and ``control_*.csv``, plain or gzipped, in the folder or
below it. They come from several exports: ISO or day/month/year dates, with or without
seconds, semicolons, trailing columns, a byte-order mark, gaps. What can be understood is
understood; what cannot is refused with file and line. Other files (``scores.csv``) are left
alone.
"""

from __future__ import annotations

import gzip
import re
import zlib
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from examples.mood.actigraphy import Recording

NAME = re.compile(r"^(condition|control)[_-]?(\w+)\.csv(\.gz)?$", re.IGNORECASE)
DATES = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y")
TIMES = (" %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M", " %H:%M:%S.%f")
FORMATS = tuple(date + time for date in DATES for time in TIMES)
MIRROR = {"%d/%m/%Y": "%m/%d/%Y", "%m/%d/%Y": "%d/%m/%Y"}
MISSING = ("", "na", "nan", "null")  # how exports write a minute that was not recorded
MINUTE = pd.Timedelta(minutes=1)
LONGEST = pd.Timedelta(days=400)


class UnreadableRecording(ValueError):
    """A recording breaks the format; the message is ``FILE:LINE: what is wrong; what to do``."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}")
        self.path, self.line = path, line


def read_folder(folder: Path) -> list[Recording]:
    """Every recording below ``folder``, by name. Raises ``UnreadableRecording``."""
    if not folder.is_dir():
        raise UnreadableRecording(folder, 1, "no such folder; give --data a folder of recordings")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.csv*")):
        if match := NAME.match(path.name):
            subject = f"{match[1].lower()}_{match[2]}"
            if subject in found:
                raise UnreadableRecording(
                    path, 1, f"{subject} is in {found[subject]} too; keep one"
                )
            found[subject] = path
    if not found:
        raise UnreadableRecording(
            folder, 1, "holds no condition_*.csv[.gz] or control_*.csv[.gz]; check the folder"
        )
    return [read_file(path) for path in found.values()]


def read_file(path: Path) -> Recording:
    """One recording, on a grid of minutes. Raises ``UnreadableRecording``."""
    match = NAME.match(path.name)
    if match is None:
        raise UnreadableRecording(path, 1, "name it condition_<n>.csv or control_<n>.csv")
    rows = _table(path, _text(path))
    when = _timestamps(path, rows["timestamp"])
    activity = _activity(path, rows["activity"])
    group = match[1].lower()
    return _on_grid(path, f"{group}_{match[2]}", group, when, activity)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableRecording(path, 1, f"cannot be read ({error}); fetch it again") from error
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UnreadableRecording(path, line, "is not UTF-8 text; export it as UTF-8") from error


def _table(path: Path, text: str) -> pd.DataFrame:
    """The columns ``timestamp`` and ``activity`` as text; the index is the line number."""
    header, _, body = text.partition("\n")
    separator = max(",;\t", key=header.count)
    names = [name.strip().lower() for name in header.replace('"', "").split(separator)]
    for needed in ("timestamp", "activity"):
        if names.count(needed) != 1:
            problem = f"the header has no column {needed!r} (it reads {header.strip()[:60]!r})"
            raise UnreadableRecording(path, 1, f"{problem}; expected timestamp,date,activity")
    stamp, count = names.index("timestamp"), names.index("activity")
    last = max(stamp, count)
    cut = [row.split(separator, last + 1) for row in body.replace('"', "").split("\n")]
    for line, cells in enumerate(cut, start=2):
        if len(cells) <= last and not "".join(cells).isspace() and any(cells):
            row = separator.join(cells).strip()
            problem = f"the row {row[:60]!r} is cut short; repair or remove it"
            raise UnreadableRecording(path, line, problem)
    lines = [line for line, cells in enumerate(cut, start=2) if _filled(cells, stamp, count)]
    if not lines:
        raise UnreadableRecording(path, 2, "holds no rows; leave the file out or export it again")
    stamps = [cut[line - 2][stamp].strip() for line in lines]
    counts = [cut[line - 2][count].strip() for line in lines]
    return pd.DataFrame({"timestamp": stamps, "activity": counts}, index=lines)


def _filled(cells: list[str], stamp: int, count: int) -> bool:
    """False for a blank row, and for one of separators alone."""
    return len(cells) > max(stamp, count) and bool(cells[stamp] or cells[count])


def _timestamps(path: Path, text: pd.Series) -> pd.Series:
    """The times, read with the file's own format and, row by row, with the others.

    A file's format is the one that reads most of a sample of its rows; among equals (all
    days up to 12), the one that gives the shortest recording. A row is never read with the
    mirror image of that format: 3/4 does not change its meaning within a file.
    """
    sample = text.iloc[:: max(1, len(text) // 500)]
    ranked = []
    for form in FORMATS:
        tried = pd.to_datetime(sample, format=form, errors="coerce")
        ranked.append((-int(tried.notna().sum()), tried.max() - tried.min(), form))
    own = min(ranked, key=lambda rank: (rank[0], rank[1] if rank[0] else pd.Timedelta(0)))[2]
    mirror = MIRROR.get(own[:8], "")
    when = pd.to_datetime(text, format=own, errors="coerce")
    for form in FORMATS:
        missing = when.isna()
        if not missing.any():
            break
        if form[:8] != mirror:
            when[missing] = pd.to_datetime(text[missing], format=form, errors="coerce")
    if when.isna().any():
        line = int(when.index[when.isna()][0])
        value = text.loc[line]
        what = f"cannot read the time {value!r}" if value else "the row has no time"
        raise UnreadableRecording(path, line, f"{what}; use YYYY-MM-DD HH:MM:SS")
    return when


def _activity(path: Path, text: pd.Series) -> pd.Series:
    """Counts as floats; an empty cell, NaN, NA and null are a missing minute."""
    value = pd.to_numeric(text, errors="coerce").astype("float64")
    wrong = (value.isna() & ~text.str.lower().isin(MISSING)) | (value < 0) | np.isinf(value)
    if wrong.any():
        line = int(wrong.index[wrong][0])
        problem = f"activity {text.loc[line]!r} is not a count of 0 or more; repair the row"
        raise UnreadableRecording(path, line, problem)
    return value


def _on_grid(
    path: Path, subject: str, group: str, when: pd.Series, activity: pd.Series
) -> Recording:
    """Rows to minutes: gaps become NaN; a minute read twice keeps the mean of both."""
    minute = when.dt.floor("min")
    jump = minute.diff().abs()
    if (jump > LONGEST).any():
        line = int(jump.index[jump > LONGEST][0])
        problem = f"time jumps from {minute.shift().loc[line]} to {minute.loc[line]}"
        raise UnreadableRecording(path, line, f"{problem}; repair the date")
    first = minute.min()
    slot = ((minute - first) // MINUTE).to_numpy()
    value = activity.to_numpy()
    read = ~np.isnan(value)
    size = int(slot.max()) + 1
    times = np.bincount(slot[read], minlength=size)
    totals = np.bincount(slot[read], weights=value[read], minlength=size)
    counts = np.divide(totals, times, out=np.full(size, np.nan), where=times > 0)
    start: datetime = first.to_pydatetime()
    return Recording(subject, group, start, counts)
