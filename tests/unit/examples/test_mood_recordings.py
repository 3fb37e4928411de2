"""The mood example's recordings: generated ones, real ones, and forged rows."""

from __future__ import annotations

import gzip
import os
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from examples.mood.actigraphy import DATA_VARIABLE, fingerprint
from examples.mood.depresjon import UnreadableRecording, read_file, read_folder
from examples.mood.generated import SEED, generate
from examples.mood.weeks import cut

ROOT = Path(__file__).parents[3]
START = datetime(2003, 3, 18, 15, 0)
HEADER = "timestamp,date,activity"


def rows(count: int, form: str = "%Y-%m-%d %H:%M:%S", start: datetime = START) -> list[str]:
    times = [start + timedelta(minutes=minute) for minute in range(count)]
    return [f"{at.strftime(form)},{at:%Y-%m-%d},{at.minute}" for at in times]


def file(folder: Path, lines: list[str], name: str = "control_77.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def real_folder() -> Path:
    named = os.environ.get(DATA_VARIABLE)
    folder = Path(named) if named else ROOT.parent / "shared" / "data" / "depresjon"
    if not folder.is_dir():
        pytest.skip(f"no recordings: set {DATA_VARIABLE} to a folder of them")
    return folder


@pytest.mark.req("M1")
def test_generated_subjects_are_the_same_for_the_same_seed() -> None:
    """Equal seeds give equal recordings, other seeds others; more subjects change none."""
    first, again = (generate(subjects=3, days=2, seed=SEED) for _ in range(2))
    assert fingerprint(first) == fingerprint(again)
    assert fingerprint(first) != fingerprint(generate(subjects=3, days=2, seed=SEED + 1))
    assert fingerprint(first) == fingerprint(generate(subjects=5, days=2, seed=SEED)[:3])


@pytest.mark.req("M1")
def test_generated_groups_differ_as_documented() -> None:
    """The condition group is less active and goes on later in the night than controls."""
    weeks = cut(generate(subjects=40, days=9, seed=SEED))
    by_group = [weeks.next_day[weeks.depressed == group].mean() for group in (True, False)]
    assert by_group[0] < 0.9 * by_group[1]


@pytest.mark.req("M1")
def test_generated_subjects_sleep_at_night_and_move_by_day() -> None:
    """A circadian rhythm is there: the small hours are far quieter than the afternoon."""
    for recording in generate(subjects=6, days=4, seed=SEED):
        hours = recording.start.hour + np.arange(recording.counts.size) // 60
        night, day = (recording.counts[np.isin(hours % 24, span)] for span in ((3, 4), (14, 15)))
        assert night.mean() < 0.35 * day.mean()


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d %H:%M:%S",
        "%d/%m/%Y %H:%M",
        "%m/%d/%Y %H:%M",
        "%d.%m.%Y %H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S.%f",
    ],
)
@pytest.mark.req("M1")
def test_every_export_format_gives_the_same_recording(tmp_path: Path, form: str) -> None:
    """Day first, month first, ISO: the minutes land where they belong."""
    recording = read_file(file(tmp_path, [HEADER, *rows(3 * 1440, form)]))
    assert (recording.subject, recording.group) == ("control_77", "control")
    assert recording.start == START
    assert recording.counts.size == 3 * 1440
    assert recording.counts[:61].tolist() == [*range(60), 0]


@pytest.mark.req("M1")
def test_days_up_to_twelve_are_read_day_first_when_that_is_steadier(tmp_path: Path) -> None:
    """Where both readings are possible, the one without jumps over months is taken."""
    lines = [HEADER, *rows(3 * 1440, "%d/%m/%Y %H:%M", datetime(2003, 4, 3, 9))]
    recording = read_file(file(tmp_path, lines))
    assert recording.start == datetime(2003, 4, 3, 9)
    assert recording.counts.size == 3 * 1440


@pytest.mark.req("M1")
def test_extra_columns_quotes_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    """Trailing columns, a mean in the first row, a byte-order mark, CRLF, quotes, gzip."""
    lines = [f"\ufeff{HEADER},,"] + [f'"{row}",,'.replace(",", '","', 1) for row in rows(120)]
    lines[1] += "289.6553167"
    path = tmp_path / "condition_90.csv.gz"
    path.write_bytes(gzip.compress("\r\n".join(lines).encode()))
    recording = read_file(path)
    assert recording.group == "condition"
    assert recording.counts.tolist() == [*range(60), *range(60)]


@pytest.mark.req("M1")
def test_gaps_blank_lines_and_repeated_minutes_are_understood(tmp_path: Path) -> None:
    """A missing minute is NaN, an empty cell or NA too, and a minute read twice keeps the mean."""
    made = rows(8)
    lines = [
        HEADER,
        made[0],
        "",
        made[1].rpartition(",")[0] + ",",
        made[3],
        made[3][:-1] + "5",
        made[5],
        made[6].rpartition(",")[0] + ",NaN",
        made[7].rpartition(",")[0] + ",NA",
    ]
    counts = read_file(file(tmp_path, lines)).counts
    assert np.isnan(counts).tolist() == [False, True, True, False, True, False, True, True]
    assert counts[3] == 4.0


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("2003-03-18 15:07:00,2003-03-18,-4", "'-4' is not a count"),
        ("2003-03-18 15:07:00,2003-03-18,much", "'much' is not a count"),
        ("2003-03-18 15:07:00,2003-03-18,inf", "'inf' is not a count"),
        ("2003-13-45 15:07:00,2003-03-18,4", "cannot read the time '2003-13-45 15:07:00'"),
        (",2003-03-18,4", "the row has no time"),
        ("2003-03-18 15:07:00", "cut short"),
        ("2033-03-18 15:07:00,2003-03-18,4", "time jumps"),
    ],
)
@pytest.mark.req("M1")
def test_a_forged_row_is_named_by_file_and_line(tmp_path: Path, bad: str, said: str) -> None:
    """The message starts with FILE:LINE of the row, counted with the blank lines before it."""
    path = file(tmp_path, [HEADER, *rows(4), "", bad, *rows(3)])
    with pytest.raises(UnreadableRecording) as caught:
        read_file(path)
    assert str(caught.value).startswith(f"{path}:7: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("control_1.csv", b"time,count\n1,2\n", "no column 'timestamp'"),
        ("control_1.csv", f"{HEADER}\n".encode(), "holds no rows"),
        ("control_1.csv", b"", "no column 'timestamp'"),
        ("control_1.csv", f"{HEADER}\n\xff\xfe".encode("latin-1"), "is not UTF-8"),
        (
            "control_1.csv.gz",
            gzip.compress(b"timestamp,date,activity\n" * 99, mtime=0)[:40],
            "fetch it again",
        ),
        ("scores.csv", b"number,days\n", "holds no condition_"),
    ],
)
@pytest.mark.req("M1")
def test_a_broken_file_is_refused_with_a_reason(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    """Wrong header, nothing in it, no text, cut short, or nothing to read in the folder."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableRecording, match=said):
        read_folder(tmp_path)


@pytest.mark.req("M1")
def test_one_subject_in_two_files_is_refused(tmp_path: Path) -> None:
    """Else one subject's weeks would count twice."""
    file(tmp_path, [HEADER, *rows(3)])
    (tmp_path / "more").mkdir()
    file(tmp_path / "more", [HEADER, *rows(3)], "Control_77.csv")
    with pytest.raises(UnreadableRecording, match="keep one"):
        read_folder(tmp_path)


@pytest.mark.req("M1")
def test_a_week_not_worn_gives_no_request() -> None:
    """A recorder on the bedside table is no quiet patient."""
    worn = generate(subjects=1, days=16, seed=SEED)[0]
    assert len(cut([worn]).subject) > 10
    worn.counts[4 * 1440 : 6 * 1440] = 0.0
    ends = {(end - worn.start).days for end in cut([worn]).end}
    assert not ends & {4, 5, 6, 7, 8, 9, 10, 11}
    assert ends


@pytest.mark.req("M1")
def test_a_few_missing_hours_are_filled_from_the_other_days() -> None:
    """The hole takes the mean of that clock hour, so requests hold numbers only."""
    recording = generate(subjects=1, days=9, seed=SEED)[0]
    whole = cut([recording]).activity[0]
    recording.counts[2000:2120] = np.nan
    holed = cut([recording]).activity[0]
    assert not np.isnan(holed).any()
    assert 0 < (holed != whole).sum() <= 3


@pytest.mark.req("M1")
def test_all_real_recordings_are_read() -> None:
    """Every real file gives a recording with weeks in it that were worn."""
    recordings = read_folder(real_folder())
    assert len(recordings) >= 2
    assert {recording.group for recording in recordings} == {"condition", "control"}
    weeks = cut(recordings, step_hours=24)
    assert len(set(weeks.subject)) >= 0.8 * len(recordings)
    assert not np.isnan(weeks.activity).any()
    assert 3.0 < weeks.sleep.mean() < 12.0
