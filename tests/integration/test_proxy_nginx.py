from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from switchover.errors import DependencyUnavailable, Refused, StaleEpoch
from switchover.routing.proxies.nginx import NginxSplit
from switchover.routing.snapshot import compile_snapshot, decide
from tests.integration.proxies.load import standing_backends
from tests.integration.proxies.running import MIGRATION, Running, document, running_nginx

pytestmark = pytest.mark.req("T11")


@pytest.fixture
def nginx(program: Callable[[str], Path]) -> Iterator[Running]:
    with running_nginx(program("nginx")) as proxy:
        yield proxy


def generated(proxy: Running) -> Path:
    return proxy.place / f"{MIGRATION}.conf"


def workers(proxy: Running) -> set[str]:
    """The worker processes that nginx has now: a reload makes others."""
    master = (proxy.place / "nginx.pid").read_text().strip()
    return set(Path(f"/proc/{master}/task/{master}/children").read_text().split())


def test_applied_split_is_what_nginx_answers_by(nginx: Running) -> None:
    """The share comes from the running workers, not from the file."""
    assert nginx.split.read() == 0
    nginx.split.apply(document(1, 12.34))
    assert nginx.split.read() == 0.1234
    generated(nginx).write_text("# nothing\n")
    assert nginx.split.read() == 0.1234


def test_repeated_document_does_not_reload(nginx: Running) -> None:
    """What is in force already costs no new workers."""
    nginx.split.apply(document(1, 10))
    before = generated(nginx).stat().st_mtime_ns
    nginx.split.apply(document(1, 10))
    assert generated(nginx).stat().st_mtime_ns == before


def test_file_that_was_written_and_not_loaded_is_loaded(nginx: Running) -> None:
    """A crash between the write and the reload is mended by the next ``apply``."""
    nginx.split.apply(document(1, 10))
    kept = generated(nginx).read_text()
    nginx.split.apply(document(2, 20))
    crashed = kept.replace("epoch 1", "epoch 3").replace('"1 1000"', '"3 1000"')
    generated(nginx).write_text(crashed)
    nginx.split.apply(document(3, 10))
    assert nginx.split.read() == 0.1


@pytest.mark.req("INV3")
def test_nginx_file_refuses_an_older_document(nginx: Running) -> None:
    """The epoch is in the file, so it fences out other processes too."""
    nginx.split.apply(document(7, 50))
    for epoch, percent in ((6, 100), (7, 60)):
        with pytest.raises(StaleEpoch):
            nginx.split.apply(document(epoch, percent))
    assert nginx.split.read() == 0.5


@pytest.mark.req("INV3")
def test_newest_document_wins_among_concurrent_reloads(nginx: Running) -> None:
    """Four writers take turns at the file, and the newest document stands."""
    start = threading.Barrier(4)

    def write(epoch: int) -> None:
        start.wait()
        try:
            nginx.split.apply(document(epoch, epoch))
        except StaleEpoch:
            assert epoch != 4

    threads = [threading.Thread(target=write, args=(epoch,)) for epoch in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert nginx.split.read() == 0.04


def test_broken_configuration_is_never_loaded(nginx: Running) -> None:
    """nginx refuses; the old file is back, byte for byte, and the workers are the same."""
    nginx.split.apply(document(1, 10))
    kept, before = generated(nginx).read_bytes(), workers(nginx)
    config = nginx.place / "nginx.conf"
    config.write_text(config.read_text() + "nonsense on;\n")
    with pytest.raises(Refused, match=r"the old file is back.*unknown directive \"nonsense\""):
        nginx.split.apply(document(2, 50))
    assert generated(nginx).read_bytes() == kept
    assert workers(nginx) == before
    assert nginx.split.read() == 0.1


def test_nginx_that_does_not_run_gets_the_file(nginx: Running) -> None:
    """It can't be reloaded, which is said; when it starts it follows the new document."""
    nginx.process.stop()
    with pytest.raises(DependencyUnavailable, match="nginx was not reloaded"):
        nginx.split.apply(document(1, 50))
    nginx.process.start()
    nginx.process.wait_until(lambda: _reads(nginx), timeout=10)
    assert nginx.split.read() == 0.5


def _reads(proxy: Running) -> bool:
    try:
        return proxy.split.read() is not None
    except DependencyUnavailable:
        return False


def test_file_of_somebody_else_is_left_alone(nginx: Running) -> None:
    """A path that holds something else is a mistake in the plan."""
    config = nginx.place / "nginx.conf"
    before = config.read_text()
    wrong = NginxSplit(MIGRATION, config, status_url=f"http://127.0.0.1:{nginx.port}/", header="X")
    with pytest.raises(Refused, match="was not written for mood-v3"):
        wrong.apply(document(1, 10))
    assert config.read_text() == before


def test_reload_that_shows_nowhere_is_reported(nginx: Running) -> None:
    """A status page that says something else for too long means that nobody can tell."""
    wrong = NginxSplit(
        MIGRATION, generated(nginx), status_url=f"http://127.0.0.1:{nginx.port}/switchover/none",
        header="X-Request-Key", settle=0.3,
        command=["nginx", "-p", str(nginx.place), "-c", str(nginx.place / "nginx.conf")],
    )  # fmt: skip
    with pytest.raises(DependencyUnavailable, match="says nothing instead of 1 1000"):
        wrong.apply(document(1, 10))


def test_missing_program_is_told_and_the_file_is_put_back(nginx: Running) -> None:
    """Without nginx to check the file, the old one stays."""
    kept = generated(nginx).read_bytes()
    lost = NginxSplit(
        MIGRATION, generated(nginx), status_url=f"http://127.0.0.1:{nginx.port}/",
        header="X", command=["no-such-nginx"],
    )  # fmt: skip
    with pytest.raises(DependencyUnavailable, match="no-such-nginx can't be run"):
        lost.apply(document(1, 10))
    assert generated(nginx).read_bytes() == kept


@pytest.mark.req("T2")
def test_integer_keys_follow_key_mod_100_in_nginx(program: Callable[[str], Path]) -> None:
    """Numbers go by their remainder, negative ones too, exactly as in the router; a request
    without a key goes to legacy."""
    with running_nginx(program("nginx"), key="integer") as proxy, standing_backends(proxy):
        for epoch, percent in enumerate((5, 25, 99.5), 1):
            snapshot = document(epoch, percent, key="integer")
            proxy.split.apply(snapshot)
            table = compile_snapshot(snapshot)
            keys = [*range(112), 10**30 + 4, -1, -5, -75, -76, -96, -100, -101, "0024", "004"]
            for key in map(str, keys):
                assert proxy.ask(key)[0] == decide(table, key).system, (key, percent)
            assert proxy.ask(None)[0] == "legacy"


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message names the file and what to mend."""
    file = tmp_path / "missing" / "mood.conf"
    split = NginxSplit(MIGRATION, file, status_url="http://127.0.0.1:9/", header="X")
    with pytest.raises(Refused, match=r"can't be locked: .*missing.*; mend"):
        split.apply(document(1, 10))
