"""Ctrl-C and its kin: a run that is asked to end unwinds, so that nothing half made is left.

    Ctrl-C  ->  Stopped(130), raised wherever the run is

What is being loaded at that moment is loaded to its end.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""By their names: no system has all of them."""

STOPPED = 128
"""Plus the number of the signal, as shells count."""


def numbers() -> list[int]:
    """The signals that there are on this system."""
    return [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]


class Stopped(BaseException):
    """The run ends here, for a reason that is no error; files in the making are removed."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def heed() -> None:
    """Have signals stop this process, but for those that whoever started it wants ignored."""
    for number in numbers():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Have signals wait for a moment: a deck and its ledger belong together."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    usual = {number: signal.getsignal(number) for number in numbers()}
    held = {number: handler for number, handler in usual.items() if callable(handler)}
    for number in held:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _stop(number: int, frame: FrameType | None) -> None:
    """Unwind, so that every `finally` on the way up is run."""
    signal.signal(number, signal.SIG_IGN)  # once is enough: the clean-up is not to be stopped
    importer = _importer(frame)
    if importer is None:
        raise Stopped(STOPPED + number)

    def next_line(*_: object) -> NoReturn:
        sys.settrace(None)
        raise Stopped(STOPPED + number)

    importer.f_trace = next_line
    sys.settrace(lambda *_: None)


def _importer(frame: FrameType | None) -> FrameType | None:
    """Who has a module loaded at this moment, from which `frame` was called; the outermost.

    Nothing may be raised before that is done: a module in C++ would end the process with a core
    dump, others swallow it.
    """
    importer = None
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            importer = frame.f_back
        frame = frame.f_back
    return importer
