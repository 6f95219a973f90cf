"""How long an export takes and how much memory, beside the floor of the same machine.

    python -m benchmarks.export 1000 10000 100000

Each size is a number of cards. The vaults are kept in the temporary folder for the next time.
Everything is measured in a process of its own, on Linux, macOS and other POSIX systems;
nothing here judges a number.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1_000, 10_000, 100_000)
CACHE = Path(tempfile.gettempdir()) / "obs2anki-benchmarks"
BYTES_PER_RSS = 1 if sys.platform == "darwin" else 1024
"""getrusage(2) counts kilobytes on Linux and the BSDs, bytes on macOS."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a finished process cost, and what it printed on stdout."""

    seconds: float
    peak: int
    """Bytes of resident memory at the most."""
    stdout: str


def measure(*arguments: str) -> Run:
    """Run Python with `arguments`, and wait for it.

    Linux counts the memory of the parent at the time of the fork as the child's, so this
    process must stay small: whatever is large happens in a child.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            err.seek(0)
            told = err.read()[-2000:].decode(errors="replace")
            sys.exit(f"python {' '.join(arguments)} ended with {child.returncode}:\n{told}")
        out.seek(0)
        return Run(seconds, usage.ru_maxrss * BYTES_PER_RSS, out.read().decode())


def vault(cards: int, seed: int) -> Path:
    """The folder of a generated vault, which is written unless an earlier run has left it."""
    generator = (ROOT / "benchmarks" / "vaults.py").stat().st_mtime_ns
    folder = CACHE / f"{cards}-cards-seed-{seed}-{generator:x}"
    if not folder.exists():
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        measure("-m", "benchmarks.vaults", str(unfinished), str(cards), "--seed", str(seed))
        unfinished.rename(folder)
    shutil.rmtree(folder / ".obs2anki", ignore_errors=True)
    return folder


def row(what: str, seconds: float, peak: int | None = None, note: str = "") -> None:
    """Print one line of the table."""
    memory = f"{peak / 1e6:8.0f} MB" if peak is not None else " " * 11
    print(f"  {what:<26}{seconds:9.2f} s{memory}  {note}".rstrip(), flush=True)


def export(cards: int, seed: int) -> None:
    """Measure one size, and print it."""
    folder = vault(cards, seed)
    texts = [file.stat().st_size for file in folder.rglob("*.md")]
    print(f"\n{cards:,} cards in {len(texts):,} documents, {sum(texts) / 1e6:.1f} MB of Markdown")
    with tempfile.TemporaryDirectory() as scratch:
        deck = str(Path(scratch) / "deck.apkg")
        command = ("-m", "obs2anki", "export", str(folder), "-o", deck)
        first = measure(*command)
        again = measure(*command)
        floor = measure("-m", "benchmarks.floor", str(folder), deck)
        size = Path(deck).stat().st_size
    parts: dict[str, float] = json.loads(floor.stdout)
    least = sum(parts.values())
    row("export", first.seconds, first.peak, f"{first.seconds / least:.1f} times the floor")
    row("export again, unchanged", again.seconds, again.peak)
    row("floor", least, floor.peak, f"a deck of {size / 1e6:.1f} MB")
    for name, seconds in parts.items():
        row(f"  {name}", seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each size that the command line names."""
    parser = argparse.ArgumentParser(prog="benchmarks.export", description=__doc__.split("\n")[0])
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES, help="numbers of cards")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{platform.system()}, {os.cpu_count()} cores"
    )
    nothing = measure("-c", "pass")
    row("python -c pass", nothing.seconds, nothing.peak)
    for cards in chosen.sizes:
        export(cards, chosen.seed)


if __name__ == "__main__":
    main()
