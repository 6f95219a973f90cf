"""How long from saving a document to the replaced deck, beside the floor of the same machine.

    python -m benchmarks.watch 10000

    python -m benchmarks.watch 1000 --times 1000

A watch follows a generated vault of so many cards. Ten documents are saved one after the other and
over again, each with one flashcard more, whose answer is another one each time; so the vault soon
grows no more, and what the watch takes of memory should not either. The time of each save runs
until another file is the deck. With `--hundred` it is 100 documents at a time. In the end there is
a look at what lies about that was not there after the first save. POSIX only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.export import ROOT, measure, row, vault
from obs2anki.watch import QUIET

LONGEST = 300.0
"""Seconds to wait for a deck before giving up."""

ROUND = 10
"""So many documents are saved in turn, or as many as are saved at a time."""

STATIONS = (1, 10, 100, 200, 500, 1_000)
"""After so many saves the memory is told."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What a watch did about a number of saves."""

    seconds: tuple[float, ...]
    """From each save to the new deck."""
    memory: tuple[int, ...]
    """Bytes of resident memory after each."""
    left: tuple[str, ...]
    """Files beside deck, ledger and cache that were not there after the first save."""

    @property
    def usual(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)

    @property
    def after(self) -> str:
        """What of that is not waiting for silence."""
        return f"{self.usual - QUIET:.2f} s after the settle"


@contextmanager
def watching(folder: Path, deck: Path, scratch: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A watch of the vault in `folder`, from its first deck on; all else it writes in `scratch`."""
    arguments = ["-m", "obs2anki", "watch", str(folder), "-o", str(deck)]
    child = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(scratch), "XDG_CACHE_HOME": str(scratch / "cache")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        replaced(deck, None)
        yield child
    finally:
        child.terminate()
        child.wait()


def replaced(deck: Path, before: int | None) -> int:
    """Wait until another file is the deck, or the ledger, and say which."""
    end = time.perf_counter() + LONGEST
    while time.perf_counter() < end:
        try:
            if (now := deck.stat().st_ino) != before:
                return now
        except FileNotFoundError:
            pass
        time.sleep(0.001)
    sys.exit(f"There is no new {deck.name} after {LONGEST:.0f} seconds.")


def memory(process: int) -> int:
    """Bytes of resident memory, on Linux; 0 elsewhere."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return 0
    (line,) = (one for one in status.read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def saves(folder: Path, deck: Path, times: int, documents: int) -> Followed:
    """Save so many documents so many times, and see what a watch of `folder` does about it.

    `deck` is not there yet, and alone in its folder.
    """
    files = sorted(folder.rglob("*.md"))
    files = [file for file in files if b"flashcards" in file.read_bytes()[:200]]
    before = {file: file.read_bytes() for file in files[: max(documents, ROUND)]}
    try:
        with tempfile.TemporaryDirectory() as scratch:
            return _followed(folder, deck, before, times, documents, Path(scratch))
    finally:
        for file, content in before.items():
            file.write_bytes(content)


def _followed(
    folder: Path,
    deck: Path,
    before: dict[Path, bytes],
    times: int,
    documents: int,
    scratch: Path,
) -> Followed:
    seconds, sizes, known = [], [], set[Path]()
    files, places = list(before), (folder, deck.parent, scratch)
    ledger = folder / ".obs2anki" / "ledger.jsonl"
    with watching(folder, deck, scratch) as child:
        time.sleep(1)
        for number in range(times):
            last, then = deck.stat().st_ino, ledger.stat().st_ino
            start = time.perf_counter()
            for offset in range(documents):
                file = files[(number * documents + offset) % len(files)]
                added = f"\nWhat is new in this one, {offset}?::It is save {number}\n"
                file.write_bytes(before[file] + added.encode())
            replaced(deck, last)
            seconds.append(time.perf_counter() - start)
            replaced(ledger, then)  # it follows the deck
            time.sleep(0.3)
            sizes.append(memory(child.pid))
            known = known or _around(places)
    left = _around(places) - known
    return Followed(tuple(seconds), tuple(sizes), tuple(sorted(file.name for file in left)))


def _around(places: Iterable[Path]) -> set[Path]:
    return {file for place in places for file in place.rglob("*")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each size that the command line names."""
    parser = argparse.ArgumentParser(prog="benchmarks.watch", description=__doc__.split("\n")[0])
    parser.add_argument("sizes", type=int, nargs="*", default=(10_000,), help="numbers of cards")
    parser.add_argument("--times", type=int, default=10, help="how many saves")
    parser.add_argument("--hundred", action="store_true", help="save 100 documents at a time")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    for cards in chosen.sizes:
        # In a temporary copy: the vault is kept for the next time as it is.
        with tempfile.TemporaryDirectory() as scratch:
            folder, deck = Path(scratch, "vault"), Path(scratch, "decks", "deck.apkg")
            deck.parent.mkdir()
            subprocess.run(["cp", "-r", str(vault(cards, chosen.seed)), str(folder)], check=True)
            documents = 100 if chosen.hundred else 1
            followed = saves(folder, deck, chosen.times, documents)
            floor = measure("-m", "benchmarks.floor", str(folder), str(deck))
        least = sum(json.loads(floor.stdout).values())
        print(f"\n{cards:,} cards, {os.cpu_count()} cores, {documents} documents a save")
        row("save to deck, median", followed.usual, followed.memory[-1], followed.after)
        row("save to deck, worst", max(followed.seconds))
        row("floor", least, floor.peak)
        for station in sorted({*STATIONS, chosen.times}):
            if station <= chosen.times:
                size = followed.memory[station - 1] / 1e6
                print(f"  {f'memory after {station:,} saves':<26}{size:24.1f} MB")
        print(f"  files left behind: {', '.join(followed.left) or 'none'}")


if __name__ == "__main__":
    main()
