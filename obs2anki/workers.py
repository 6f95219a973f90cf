"""Work that is shared with other processes: pieces in, what came of them out, in their order.

    done(Work(...), 3, 1)  ->  what is in pieces 0, 1, 2, of which another process makes some

Each process has a pipe of its own to the one that started it, so that the end of either is seen
by the other, even in the middle of a message: nobody waits for who is no more. The signals of a
terminal (Ctrl-C, its closing) and SIGTERM are for the process that started them; they end with it.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

from obs2anki import stopping

Told = TypeVar("Told")
"""What another process tells of a piece."""
Item = TypeVar("Item")
"""One of the results that a piece comes to."""

AHEAD = 2
"""Pieces that another process has at a time: one at work, one to go on with."""


class Lost(Exception):
    """A process has ended before its time, or none could be started."""


@dataclass(frozen=True, slots=True)
class Work(Generic[Told, Item]):
    """What is to be done with a piece, here and elsewhere."""

    begin: Callable[[], Callable[[int], Told]]
    """Called in each other process; gives what does the work there. It travels, as Told does."""
    opened: Callable[[Told], Iterable[Item]]
    """What another process has told, as it is when made here."""
    here: Callable[[int], Iterable[Item]]
    """The same, made in this process."""


def done(work: Work[Told, Item], pieces: int, others: int) -> Iterator[Item]:
    """What the pieces 0, 1, ... come to, by this process and so many others, in their order.

    Raises Lost where a process dies or the work fails there: whoever wants to know why does the
    rest himself. When the iterator ends or is closed, no process is left.
    """
    crew: list[_Hand[Told]] = []
    try:
        with _held_back():
            crew += (_Hand[Told]() for _ in range(min(others, pieces)))
        # All are on their way before the first has to listen: what is told may fill a pipe.
        for hand in crew:
            hand.begin(work.begin)
        yield from _in_order(work, crew, pieces)
    except (OSError, EOFError) as error:
        raise Lost from error
    finally:
        for hand in crew:
            hand.end()


def _in_order(work: Work[Told, Item], crew: list[_Hand[Told]], pieces: int) -> Iterator[Item]:
    by_pipe = {hand.pipe: hand for hand in crew}
    waiting = iter(range(pieces))
    for hand in crew * AHEAD:
        hand.take(next(waiting, None))
    came: dict[int, Iterable[Item]] = {}
    own = _own(work, waiting, came)
    for piece in range(pieces):
        while piece not in came:
            is_idle = next(own, True)
            for pipe in wait(list(by_pipe), None if is_idle else 0):
                hand = by_pipe[pipe]  # type: ignore[index]  # it is one of those
                number, told = hand.told()
                came[number] = work.opened(told)
                hand.take(next(waiting, None))
        yield from came.pop(piece)


def _own(
    work: Work[Told, Item], waiting: Iterator[int], came: dict[int, Iterable[Item]]
) -> Iterator[None]:
    """Make here what waits, a piece at a time: in between, others may want to tell something."""
    for piece in waiting:
        came[piece] = work.here(piece)
        yield


class _Hand(Generic[Told]):
    """A process that works, as the one that started it sees it."""

    def __init__(self) -> None:
        # Forking would do harm where there are threads, and there is none on Windows.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.pieces: list[int] = []
        """Those that it has, in the order in which it tells of them."""
        self.process: BaseProcess = context.Process(target=_work, args=(theirs,), daemon=True)
        try:
            self.process.start()
        finally:
            theirs.close()  # or its end would not be seen

    def begin(self, begin: Callable[[], Callable[[int], Told]]) -> None:
        """Tell it what its work is."""
        with suppress(OSError):  # if it is no more, that is seen where it should tell
            self.pipe.send(begin)

    def take(self, piece: int | None) -> None:
        """Give it another piece, if there is one."""
        if piece is not None:
            self.pieces.append(piece)
            with suppress(OSError):  # if it is no more, that is seen where it should tell
                self.pipe.send(piece)

    def told(self) -> tuple[int, Told]:
        """A piece and what came of it. Raises EOFError or OSError where the process is no more."""
        told: Told = self.pipe.recv()
        return self.pieces.pop(0), told

    def end(self) -> None:
        """Have it end now: it holds nothing that would be lost."""
        self.pipe.close()
        self.process.kill()
        self.process.join()


@contextmanager
def _held_back() -> Iterator[None]:
    """Have signals wait. What is started meanwhile never hears them (where there are masks)."""
    if sys.platform == "win32":
        yield
        return
    numbers = stopping.numbers()
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        resource_tracker.ensure_running()  # each process needs it, and it lets signals through
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)


def _work(pipe: Connection) -> None:
    """In a process of its own: make what is asked for until nobody asks any more."""
    for number in stopping.numbers():
        signal.signal(number, signal.SIG_IGN)
    gc.disable()
    try:
        work = pipe.recv()()
        while True:
            pipe.send(work(pipe.recv()))
    except BaseException:
        os._exit(1)  # whoever asked sees that, and does the work himself
