"""Who asks a run to end is heard, wherever the run is."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from obs2anki import stopping
from tests.commands import Ended, child, ended, held, oceans


def test_a_signal_waits_until_deck_and_ledger_belong_together() -> None:
    came: list[int] = []
    usual = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        with stopping.undisturbed():
            os.kill(os.getpid(), signal.SIGTERM)
            assert came == []
        assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, usual)


def test_a_round_in_another_thread_holds_no_signal() -> None:
    done: list[bool] = []

    def in_thread() -> None:
        with stopping.undisturbed():
            done.append(True)

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert done


LOADS = """
import signal, sys
class Finder:
    def find_spec(self, name, *_):
        if name == {module!r}:
            try:
                signal.raise_signal(signal.{signal})
            except BaseException:
                pass
sys.meta_path.insert(0, Finder())
"""
"""Whoever loads a module may swallow what is raised meanwhile; C++ ends the process."""


@pytest.mark.parametrize("module", ["typer", "obs2anki.build", "comrak"])
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_while_a_module_is_loaded_stops_the_run_as_soon_as_it_is(
    name: str, code: int, module: str, tmp_path: Path
) -> None:
    oceans(tmp_path)
    before = held(tmp_path)
    process = child(["export", "sea"], tmp_path, LOADS.format(module=module, signal=name))
    assert ended(process) == Ended(code, "", "Stopped.\n")
    assert held(tmp_path) == before


def test_what_whoever_started_the_run_wants_ignored_is_ignored(tmp_path: Path) -> None:
    oceans(tmp_path)
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    loads = ignoring + LOADS.format(module="comrak", signal="SIGINT")
    assert ended(child(["export", "sea"], tmp_path, loads)).code == 0
