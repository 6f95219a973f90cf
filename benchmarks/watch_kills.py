"""What is left of a deck and its ledger when a watch is killed at a random moment.

    python -m benchmarks.watch_kills --kills 200

Documents of a generated vault are saved while a watch follows it. Half of the kills fall anywhere
between a save and the end of its round, half from when the deck is being written. After each the
deck and the ledger have to be whole; then an export that nothing disturbs has to bring them
together, and to clear away what the kill has left. Ends with 1 if anything was lost. POSIX only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks import kills as exports
from benchmarks import vaults
from benchmarks.kills import LEDGER, ROOT
from obs2anki import ledger

LONGEST = 60.0
"""Seconds to wait for a deck before giving up."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kill, and what came of it."""

    writing: bool
    """Whether it fell when a deck was being written, or after."""
    replaced: bool
    """Whether the deck of the last save was in place."""
    saved: bool
    """Whether the ledger was."""
    leftovers: tuple[str, ...]
    """Files that are neither deck nor ledger, after the kill."""
    faults: tuple[str, ...]
    """What was broken, or was wrong after the next export."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A vault, and a deck that lies alone in its folder."""

    folder: Path

    @property
    def deck(self) -> Path:
        """Where the deck lies."""
        return self.folder / "decks" / "deck.apkg"

    @property
    def ledger(self) -> Path:
        """Where the ledger lies."""
        return self.folder / "vault" / LEDGER

    def run(self, command: str) -> subprocess.Popen[bytes]:
        """A command of obs2anki on the vault, begun."""
        return subprocess.Popen(
            [sys.executable, "-m", "obs2anki", command, "vault", "-o", "decks/deck.apkg"],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def others(self) -> list[str]:
        """Files beside the two that nobody has asked for."""
        known = (self.deck, self.ledger, self.ledger.with_name(".gitattributes"))
        folders = (self.deck.parent, self.ledger.parent)
        return [f.name for folder in folders for f in folder.iterdir() if f not in known]

    def save(self, random: Random, number: int) -> None:
        """Add a flashcard to some documents, and change the answer of an earlier one."""
        for file in random.sample(sorted((self.folder / "vault").rglob("*.md")), 3):
            text = file.read_text("utf-8").replace("is new?::This", "is new?::That", 1)
            file.write_text(f"{text}\nWhat of number {number} is new?::This\n", "utf-8")


def cases(folder: Path, kills: int, cards: int, seed: int = 1) -> list[Case]:
    """So many kills, one after the other, of watches of one vault."""
    random, one = Random(seed), Scene(folder)
    vaults.write(folder / "vault", cards, seed)
    one.deck.parent.mkdir()
    _export(one)
    span = _span(one, random)
    return [kill(one, random, number, span) for number in range(kills)]


def _export(one: Scene) -> None:
    if code := one.run("export").wait():
        raise RuntimeError(f"an export ended with {code}")


def _wait(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError("a watch does nothing")
        time.sleep(0.0005)


def _awake(one: Scene) -> subprocess.Popen[bytes]:
    """A watch that has made its first round: it brings back a deck that was deleted."""
    one.deck.unlink()
    child = one.run("watch")
    _wait(one.deck.exists)
    time.sleep(0.1)
    return child


def _inodes(one: Scene) -> tuple[int, int]:
    return one.deck.stat().st_ino, one.ledger.stat().st_ino


def _span(one: Scene, random: Random) -> float:
    """Seconds from a save to the ledger that knows of it."""
    child = _awake(one)
    before = _inodes(one)
    start = time.perf_counter()
    one.save(random, -1)
    _wait(lambda: all(old != new for old, new in zip(before, _inodes(one), strict=True)))
    span = time.perf_counter() - start
    child.terminate()
    child.wait()
    return span


def kill(one: Scene, random: Random, number: int, span: float) -> Case:
    """Kill a watch at a random moment after a save, look, and export."""
    writing = number % 2 == 1
    child = _awake(one)
    deck, book = _inodes(one)
    one.save(random, number)
    if writing:
        _wait(lambda: len([*one.deck.parent.iterdir()]) > 1 or one.deck.stat().st_ino != deck)
        time.sleep(random.random() * 0.06)
    else:
        time.sleep(random.random() * span)
    child.kill()
    child.wait()
    replaced, saved = one.deck.stat().st_ino != deck, one.ledger.stat().st_ino != book
    leftovers = tuple(one.others())
    faults = []
    try:
        before = exports.notes(one.deck.read_bytes())
        ledger.read(one.ledger)
    except Exception as error:
        return Case(writing, replaced, saved, leftovers, (f"broken: {error}",))
    if saved and not replaced:
        faults.append("the ledger knows of a deck that is not there")
    _export(one)
    faults += _faults(one, before, number)
    return Case(writing, replaced, saved, leftovers, tuple(faults))


def _faults(one: Scene, before: dict[str, tuple[int, str]], number: int) -> list[str]:
    """What is wrong after an export that nothing has disturbed."""
    deck, known = exports.notes(one.deck.read_bytes()), exports.mods(one.ledger.read_bytes())
    faults = [f"{name} is still there" for name in one.others()]
    if {guid: mod for guid, (mod, _) in deck.items()} != known:
        faults.append("deck and ledger do not belong together")
    if sum(f"What of number {number} is new" in text for _, text in deck.values()) == 0:
        faults.append("the deck is not that of the vault")
    if not before.keys() <= deck.keys():
        faults.append("a GUID was lost")
    both = before.keys() & deck.keys()
    if any(deck[guid][0] < before[guid][0] for guid in both):
        faults.append("a time of change went back")
    changed = {guid for guid in both if before[guid][1] != deck[guid][1]}
    if any(deck[guid][0] <= before[guid][0] for guid in changed):
        faults.append("a note changed and is not newer")
    return faults


def main(arguments: Sequence[str] | None = None) -> None:
    """Kill as often as the command line says, and print what came of it."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.watch_kills", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--cards", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = cases(Path(folder), chosen.kills, chosen.cards, chosen.seed)
    print(f"  {'Kill':<28} {'Deck':<5} {'Ledger':<7} {'Times':>5}")
    counts = Counter((case.writing, case.replaced, case.saved) for case in found)
    for (writing, replaced, saved), times in sorted(counts.items()):
        when = "the deck is being written" if writing else "anywhere"
        deck, book = ("new" if new else "old" for new in (replaced, saved))
        print(f"  {when:<28} {deck:<5} {book:<7} {times:5}")
    print(f"\n  {sum(bool(c.leftovers) for c in found):4} kills left a file beside the two")
    faults = Counter(fault for case in found for fault in case.faults)
    for fault, times in faults.items():
        print(f"  {times:4} times {fault}")
    print(f"  {sum(faults.values()):4} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
