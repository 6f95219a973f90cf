"""How long from saving a document to the replaced deck, beside the floor of the same machine.

    python -m benchmarks.watch 10000

A watch follows a generated vault of so many cards. Documents are saved one after the other, each
with one flashcard more; the time of each runs until another file is the deck. With `--hundred`
it is 100 documents at a time. POSIX only.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.export import ROOT, measure, row, vault
from obs2anki.watch import QUIET

LONGEST = 300.0
"""Seconds to wait for a deck before giving up."""


@contextmanager
def watching(folder: Path, deck: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A watch of the vault in `folder`, from its first deck on."""
    arguments = ["-m", "obs2anki", "watch", str(folder), "-o", str(deck)]
    child = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
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
    """Wait until another file is the deck, and say which."""
    end = time.perf_counter() + LONGEST
    while time.perf_counter() < end:
        try:
            if (now := deck.stat().st_ino) != before:
                return now
        except FileNotFoundError:
            pass
        time.sleep(0.001)
    sys.exit(f"There is no new deck after {LONGEST:.0f} seconds.")


def memory(process: int) -> int:
    """Bytes of resident memory, on Linux; 0 elsewhere."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return 0
    (line,) = (one for one in status.read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def saves(folder: Path, deck: Path, times: int, documents: int) -> tuple[list[float], list[int]]:
    """Seconds from each save to the new deck, and the memory after each."""
    files = sorted(folder.rglob("*.md"))
    files = [file for file in files if b"flashcards" in file.read_bytes()[:200]]
    seconds, sizes = [], []
    with watching(folder, deck) as child:
        time.sleep(1)
        for number in range(times):
            before = deck.stat().st_ino
            start = time.perf_counter()
            for offset in range(documents):
                file = files[(number * documents + offset) % len(files)]
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(f"\nWhat is new in save {number}, {offset}?::This one\n")
            replaced(deck, before)
            seconds.append(time.perf_counter() - start)
            sizes.append(memory(child.pid))
            time.sleep(0.3)  # the ledger follows the deck
    return seconds, sizes


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
            folder, deck = Path(scratch, "vault"), Path(scratch, "deck.apkg")
            subprocess.run(["cp", "-r", str(vault(cards, chosen.seed)), str(folder)], check=True)
            documents = 100 if chosen.hundred else 1
            seconds, sizes = saves(folder, deck, chosen.times, documents)
            floor = measure("-m", "benchmarks.floor", str(folder), str(deck))
        least = sum(json.loads(floor.stdout).values())
        print(f"\n{cards:,} cards, {os.cpu_count()} cores, {documents} documents a save")
        middle = statistics.median(seconds)
        row("save to deck, median", middle, sizes[-1], f"{middle - QUIET:.2f} s after the settle")
        row("save to deck, worst", max(seconds))
        row("floor", least, floor.peak)
        print(
            f"  memory after the first save {sizes[0] / 1e6:.0f} MB, the last {sizes[-1] / 1e6:.0f}"
        )


if __name__ == "__main__":
    main()
