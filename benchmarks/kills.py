"""What is left of a deck and its ledger when an export is killed at a random moment.

    python -m benchmarks.kills --kills 200

Each export would replace the deck and the ledger of a generated vault. One third of the kills
fall anywhere, one third from when the deck is being written, and one third from when it is in
place, which is when the ledger is saved. Each is followed by an export that nothing disturbs.
It prints how often the deck and the ledger were the old or the new one, and ends with 1 if one
was neither, if the two did not belong together in the end, or if a time of change went back.
POSIX only.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

from benchmarks import vaults

ROOT = Path(__file__).resolve().parent.parent
LEDGER = Path(".obs2anki", "ledger.jsonl")
TIMES = (1767225600, 1767229200, 1767232800)
"""Of the export before, of the one that is killed, and of the one after it."""


class Stage(StrEnum):
    """From when on a kill may fall."""

    START = "from the start"
    WRITING = "the deck is being written"
    SAVING = "the ledger is being saved"


class State(StrEnum):
    """What a file holds after a kill."""

    OLD = "old"
    NEW = "new"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Pair:
    """A deck and its ledger, as bytes."""

    deck: bytes
    ledger: bytes


@dataclass(frozen=True, slots=True)
class Case:
    """One kill, and what came of it."""

    stage: Stage
    killed: bool
    """False where the export had ended before."""
    deck: State
    ledger: State
    leftovers: tuple[str, ...]
    """Files that are neither, after the kill."""
    kept: tuple[str, ...]
    """Those that are still there after the next export."""
    faults: tuple[str, ...]
    """What was wrong after the next export."""

    @property
    def bad(self) -> bool:
        """Whether anything was lost or half-written."""
        ahead = (self.deck, self.ledger) == (State.OLD, State.NEW)
        return ahead or State.BROKEN in (self.deck, self.ledger) or bool(self.faults)


# ---------------------------------------------------------------- the scene


@dataclass(frozen=True, slots=True)
class Scene:
    """A vault that was exported and edited since, with the outcomes of both exports."""

    folder: Path
    old: Pair
    new: Pair
    spans: dict[Stage, float]
    """Seconds from each stage to the end of an export that nothing disturbs."""

    @property
    def deck(self) -> Path:
        """Where the deck lies, alone in its folder."""
        return self.folder / "decks" / "deck.apkg"

    @property
    def ledger(self) -> Path:
        """Where the ledger lies."""
        return self.folder / "vault" / LEDGER

    def put(self, pair: Pair) -> None:
        """Have the disk hold these two and nothing beside them."""
        for file in self.others():
            file.unlink()
        self.deck.write_bytes(pair.deck)
        self.ledger.write_bytes(pair.ledger)

    def others(self) -> list[Path]:
        """Files beside the two that nobody has asked for."""
        known = (self.deck, self.ledger, self.ledger.with_name(".gitattributes"))
        folders = (self.deck.parent, self.ledger.parent)
        return [file for folder in folders for file in folder.iterdir() if file not in known]

    def export(self, at: int) -> subprocess.Popen[bytes]:
        """An export of the vault, begun."""
        return subprocess.Popen(
            [sys.executable, "-m", "obs2anki", "export", "vault", "-o", "decks/deck.apkg"],
            cwd=self.folder,
            env=os.environ | {"SOURCE_DATE_EPOCH": str(at), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def export_whole(self, at: int) -> Pair:
        """The outcome of an export that nothing disturbs."""
        code = self.export(at).wait()
        if code:
            raise RuntimeError(f"an export ended with {code}")
        return Pair(self.deck.read_bytes(), self.ledger.read_bytes())


def scene(folder: Path, cards: int, seed: int = 1) -> Scene:
    """Write a vault, export it, edit it, and export it again."""
    vaults.write(folder / "vault", cards, seed)
    (folder / "decks").mkdir()
    first = Scene(folder, Pair(b"", b""), Pair(b"", b""), {})
    old = first.export_whole(TIMES[0])
    _edit(folder / "vault")
    new = first.export_whole(TIMES[1])
    spans = {stage: _span(Scene(folder, old, new, {}), stage) for stage in Stage}
    return Scene(folder, old, new, spans)


def _edit(vault: Path) -> None:
    """In every third document: a question reworded, a flashcard come, and one left."""
    for number, file in enumerate(sorted(vault.rglob("*.md"))):
        if number % 3 == 0:
            text = file.read_text("utf-8")
            lines = text.replace(" mean?::", " mean to you?::").split("\n")
            single = [i for i, line in enumerate(lines) if line.count("::") == 1]
            if single:
                del lines[single[0]]
            file.write_text(
                "\n".join(lines) + f"\n\nWhat is new, number {number}?::This\n", "utf-8"
            )


def _span(one: Scene, stage: Stage) -> float:
    one.put(one.old)
    child = one.export(TIMES[1])
    _wait_for(one, stage, child)
    start = time.perf_counter()
    child.wait()
    return time.perf_counter() - start


def _wait_for(one: Scene, stage: Stage, child: subprocess.Popen[bytes]) -> None:
    """Wait until an export has come to a stage, or to its end."""
    before = one.deck.stat().st_ino
    reached: dict[Stage, Callable[[], bool]] = {
        Stage.START: lambda: True,
        Stage.WRITING: lambda: len([*one.deck.parent.iterdir()]) > 1,
        Stage.SAVING: lambda: one.deck.stat().st_ino != before,
    }
    while not reached[stage]() and child.poll() is None:
        time.sleep(0.0002)


# ---------------------------------------------------------------- a kill


def kill(one: Scene, stage: Stage, random: Random) -> Case:
    """Kill an export at a random moment of a stage, look, and export again."""
    one.put(one.old)
    child = one.export(TIMES[1])
    _wait_for(one, stage, child)
    # Files are written early in the later stages; the end of Python fills the rest.
    share = random.random() ** (1 if stage is Stage.START else 3)
    time.sleep(one.spans[stage] * share)
    child.kill()
    killed = child.wait() < 0
    deck, ledger = one.deck.read_bytes(), one.ledger.read_bytes()
    leftovers = tuple(sorted(file.name for file in one.others()))
    one.export_whole(TIMES[2])
    return Case(
        stage,
        killed,
        _state(deck, one.old.deck, one.new.deck),
        _state(ledger, one.old.ledger, one.new.ledger),
        leftovers,
        tuple(sorted(file.name for file in one.others())),
        tuple(_faults(one, deck)),
    )


def _state(found: bytes, old: bytes, new: bytes) -> State:
    return State.OLD if found == old else State.NEW if found == new else State.BROKEN


def _faults(one: Scene, killed: bytes) -> list[str]:
    """What is wrong with a deck and a ledger that nothing has disturbed since."""
    deck, ledger = notes(one.deck.read_bytes()), mods(one.ledger.read_bytes())
    new, before = notes(one.new.deck), notes(killed)
    faults = []
    if {guid: mod for guid, (mod, _) in deck.items()} != ledger:
        faults.append("deck and ledger do not belong together")
    if {guid: text for guid, (_, text) in deck.items()} != {g: t for g, (_, t) in new.items()}:
        faults.append("the deck is not that of the vault")
    if any(mod < before[guid][0] for guid, (mod, _) in deck.items() if guid in before):
        faults.append("a time of change went back")
    changed = {guid for guid in before.keys() & deck if before[guid][1] != deck[guid][1]}
    if any(deck[guid][0] <= before[guid][0] for guid in changed):
        faults.append("a note changed and is not newer")
    return faults


def notes(package: bytes) -> dict[str, tuple[int, str]]:
    """`mod` and fields of each note in a package, by GUID."""
    with tempfile.TemporaryFile() as file:
        file.write(package)
        with zipfile.ZipFile(file) as opened, closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(opened.read("collection.anki2"))
            rows = connection.execute("SELECT guid, mod, flds FROM notes").fetchall()
    return {guid: (mod, text) for guid, mod, text in rows}


def mods(ledger: bytes) -> dict[str, int]:
    """`mod` of each flashcard that is in the vault, by GUID."""
    entries = map(json.loads, ledger.decode().splitlines()[1:])
    return {entry["guid"]: entry["mod"] for entry in entries if "gone" not in entry}


# ---------------------------------------------------------------- the command


def cases(one: Scene, kills: int, seed: int = 1) -> list[Case]:
    """So many kills, the stages in turn."""
    random, stages = Random(seed), tuple(Stage)
    return [kill(one, stages[number % len(stages)], random) for number in range(kills)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Kill as often as the command line says, and print what came of it."""
    parser = argparse.ArgumentParser(prog="benchmarks.kills", description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--cards", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        one = scene(Path(folder), chosen.cards, chosen.seed)
        for stage, span in one.spans.items():
            print(f"  {stage:<26} {span * 1000:7.0f} ms to the end")
        found = cases(one, chosen.kills, chosen.seed)
    print(f"\n  {'Stage':<26} {'Deck':<7} {'Ledger':<7} {'Killed':>6} {'Ended':>6}")
    counts = Counter((case.stage, case.deck, case.ledger, case.killed) for case in found)
    for stage, deck, ledger in sorted({key[:3] for key in counts}):
        ended, killed = (counts[stage, deck, ledger, was] for was in (False, True))
        print(f"  {stage:<26} {deck:<7} {ledger:<7} {killed:6} {ended:6}")
    print(f"\n  {sum(bool(c.leftovers) for c in found):4} kills left a file beside the two")
    print(f"  {sum(bool(c.kept) for c in found):4} of these are still there after the next export")
    for fault, count in Counter(fault for case in found for fault in case.faults).items():
        print(f"  {count:4} times {fault}")
    sys.exit(any(case.bad for case in found))


if __name__ == "__main__":
    main()
