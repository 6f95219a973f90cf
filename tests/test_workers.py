"""Work that is shared comes back in order, and nobody waits for a process that is no more."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from benchmarks import vaults
from obs2anki import workers
from tests.commands import ROOT, Ended, held

LARGE = 8_000_000
"""Bytes that no pipe holds."""


Told = TypeVar("Told")


def work(
    begin: Callable[[], Callable[[int], Told]], here: Callable[[int], Iterable[Told]] = lambda _: ()
) -> workers.Work[Told, Told]:
    """Pieces that come to one thing each where others make them."""
    return workers.Work(begin, lambda told: [told], here)


def squares() -> Callable[[int], int]:
    return lambda number: number * number


def slow(second: int) -> Callable[[], Callable[[int], int]]:
    return partial(_slow, second)


def _slow(number: int) -> Callable[[int], int]:
    def made(piece: int) -> int:
        time.sleep(0.2 if piece == number else 0)
        return piece

    return made


def test_what_comes_back_is_in_order() -> None:
    def here(number: int) -> Iterator[int]:
        time.sleep(0.001)
        yield number * number

    assert list(workers.done(work(squares, here), 500, 3)) == [n * n for n in range(500)]


@pytest.mark.parametrize("last", range(4))
def test_a_piece_that_takes_long_is_waited_for(last: int) -> None:
    assert list(workers.done(work(slow(last), lambda number: [number]), 4, 1)) == list(range(4))


def test_this_process_does_its_share_while_others_do_theirs() -> None:
    def here(number: int) -> Iterator[int]:
        for _ in range(100):
            time.sleep(0.001)
            yield os.getpid()

    by = set(workers.done(work(_who, here), 50, 2))
    assert os.getpid() in by
    assert len(by) == 3


def _who() -> Callable[[int], int]:
    return lambda _: os.getpid()


def test_without_others_all_is_done_here() -> None:
    assert list(workers.done(work(squares, lambda number: [number]), 3, 0)) == [0, 1, 2]


def test_for_nothing_no_process_is_started() -> None:
    assert list(workers.done(work(squares), 0, 4)) == []


def test_no_process_is_left_when_what_comes_back_is_not_wanted_any_more() -> None:
    answers = workers.done(work(squares), 50, 2)
    assert next(answers) == 0
    assert multiprocessing.active_children()
    answers.close()  # type: ignore[attr-defined]  # it is a generator
    assert multiprocessing.active_children() == []


def fails(at: int) -> Callable[[int], int]:
    def work(number: int) -> int:
        if number == at:
            raise ValueError(number)
        return number

    return work


def ends_within_a_message() -> Callable[[int], bytes]:
    def work(number: int) -> bytes:
        if number == 1:
            threading.Timer(0.2, os._exit, (1,)).start()
        return b"x" * (LARGE if number else 1)

    return work


def cannot_begin() -> Callable[[int], int]:
    raise OSError("no memory, say")


def test_where_a_process_fails_what_was_done_before_is_kept(
    capfd: pytest.CaptureFixture[str],
) -> None:
    answers = workers.done(work(partial(fails, 1)), 9, 1)
    assert next(answers) == 0
    with pytest.raises(workers.Lost):
        next(answers)
    with pytest.raises(workers.Lost):
        next(workers.done(work(cannot_begin), 3, 2))
    assert capfd.readouterr().err == ""


def test_a_process_that_ends_within_a_message_is_not_waited_for() -> None:
    answers = workers.done(work(ends_within_a_message), 2, 1)
    assert next(answers) == b"x"
    time.sleep(0.5)  # by now it has begun to tell, and is no more
    with pytest.raises(workers.Lost):
        next(answers)


# ---------------------------------------------------------------- signals


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a vault that is read by several processes."""
    folder = tmp_path_factory.mktemp("large")
    vaults.write(folder / "v", 20_000)
    return folder


def _below(parent: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    found = [parent]
    for one in found:
        found += [child for child, its in pairs if its == one]
    return found[1:]


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="it has no groups of processes with signals")
@pytest.mark.parametrize("group", [True, False], ids=["terminal", "kill"])
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.parametrize("later", [0.0, 0.2, 0.5])
def test_a_signal_while_a_large_vault_is_read_is_one_line_and_leaves_nothing(
    later: float, name: str, code: int, group: bool, large: Path
) -> None:
    before = held(large)
    process = subprocess.Popen(
        [sys.executable, "-m", "obs2anki", "export", "v", "-o", "deck.apkg"],
        cwd=large,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OBS2ANKI_CACHE": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(below := _below(process.pid)) < 2:
        assert process.poll() is None, "it was done before it could be stopped"
    time.sleep(later)
    below = _below(process.pid) or below
    (os.killpg if group else os.kill)(process.pid, getattr(signal, name))
    out, err = process.communicate(timeout=60)
    assert Ended(process.returncode, out, err) == Ended(code, "", "Stopped.\n")
    end = time.monotonic() + 30
    while any(map(_is_there, below)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(map(_is_there, below))
    assert held(large) == before
