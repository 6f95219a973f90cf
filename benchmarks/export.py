"""How long an export takes and how much memory, beside references of the same machine and run.

    python -m benchmarks.export 1000 10000 100000

Each size is a number of cards. The vaults are kept in the temporary folder for the next time.
The references are `python -c pass`, the floor (`benchmarks.floor`) and the plain version
(`benchmarks.plain`). Everything is measured in a process of its own, on Linux, macOS and other
POSIX systems; nothing here judges a number.
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
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1_000, 10_000, 100_000)
SAVES = 5
"""So many saves are measured while a watch follows; the table tells their median."""

CACHE = Path(tempfile.gettempdir()) / "obs2anki-benchmarks"
BYTES_PER_RSS = 1 if sys.platform == "darwin" else 1024
"""getrusage(2) counts kilobytes on Linux and the BSDs, bytes on macOS."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a finished process cost, and what it printed on stdout."""

    seconds: float
    peak: int
    """Bytes of resident memory at the most; on Linux, of all its processes together."""
    stdout: str


def measure(*arguments: str, processors: int | None = None) -> Run:
    """Run Python with `arguments`, on so many processors (Linux; None = all), and wait for it.

    Linux counts the memory of the parent at the time of the fork as the child's, so this
    process must stay small: whatever is large happens in a child.
    """
    if processors is None or sys.platform != "linux":
        return _measured(arguments)
    everything = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(everything)[:processors])  # a child has its parent's
    try:
        return _measured(arguments)
    finally:
        os.sched_setaffinity(0, everything)


def _measured(arguments: Sequence[str]) -> Run:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        ended = threading.Event()
        together = [0]
        watcher = threading.Thread(target=_watch_memory, args=(child.pid, ended, together))
        watcher.start()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        ended.set()
        watcher.join()
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            err.seek(0)
            told = err.read()[-2000:].decode(errors="replace")
            sys.exit(f"python {' '.join(arguments)} ended with {child.returncode}:\n{told}")
        out.seek(0)
        peak = max(usage.ru_maxrss * BYTES_PER_RSS, together[0])
        return Run(seconds, peak, out.read().decode())


def _watch_memory(pid: int, ended: threading.Event, most: list[int]) -> None:
    """Note the most memory that a process and those below it have at one time (Linux)."""
    if not Path("/proc/self/statm").exists():
        return
    while not ended.wait(0.1):
        most[0] = max(most[0], sum(map(_memory, _family(pid))))


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError, ValueError):
        for below in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from _family(int(below))


def _memory(pid: int) -> int:
    """Bytes of a process; what it shares with another counts for each.

    `smaps_rollup` would tell them apart, but walks through all of a process's memory, which
    stands still meanwhile: on one processor a twentieth of what was measured was that.
    """
    with suppress(OSError, ValueError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


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
    from benchmarks import watch  # it measures with what is here

    folder = vault(cards, seed)
    texts = sorted(folder.rglob("*.md"))
    size = sum(file.stat().st_size for file in texts)
    print(f"\n{cards:,} cards in {len(texts):,} documents, {size / 1e6:.1f} MB of Markdown")
    with tempfile.TemporaryDirectory() as scratch:
        deck = str(Path(scratch) / "deck.apkg")
        command = ("-m", "obs2anki", "export", str(folder), "-o", deck)
        os.environ["XDG_CACHE_HOME"] = scratch
        _anew(folder, Path(scratch))
        one = measure(*command, processors=1)
        _anew(folder, Path(scratch))
        two = measure(*command, processors=2)
        rest = measure(*command)
        changed = {count: _changed(texts[:count], command) for count in (1, 100)}
        (decks := Path(scratch, "watched")).mkdir()
        followed = watch.saves(folder, decks / "deck.apkg", SAVES, 1)
        floor = measure("-m", "benchmarks.floor", str(folder), deck)
        plain = measure("-m", "benchmarks.plain", str(folder), f"{scratch}/plain.apkg")
        size = Path(deck).stat().st_size
    parts: dict[str, float] = json.loads(floor.stdout)
    least = sum(parts.values())

    def told(run: Run) -> str:
        return f"{run.seconds / least:.1f} times the floor"

    row("cold, one processor", one.seconds, one.peak, told(one))
    row("cold, two processors", two.seconds, two.peak, told(two))
    row("unchanged", rest.seconds, rest.peak)
    for count, run in changed.items():
        above = f"the floor and {run.seconds - least:.1f} s"
        row(f"{count} changed", run.seconds, run.peak, above)
    row("watched, save to deck", followed.usual, followed.memory[-1], followed.after)
    row("plain version", plain.seconds, plain.peak, f"{plain.seconds / one.seconds:.1f} times cold")
    row("floor", least, floor.peak, f"a deck of {size / 1e6:.1f} MB")
    for name, seconds in parts.items():
        row(f"  {name}", seconds)


def _anew(folder: Path, scratch: Path) -> None:
    """Forget deck, ledger and cache."""
    shutil.rmtree(folder / ".obs2anki", ignore_errors=True)
    for inside in scratch.iterdir():
        shutil.rmtree(inside) if inside.is_dir() else inside.unlink()


def _changed(files: Sequence[Path], command: Sequence[str]) -> Run:
    """An export after these documents got one flashcard more; then they are as they were."""
    before = {file: file.read_bytes() for file in files}
    try:
        for number, file in enumerate(files):
            file.write_bytes(before[file] + f"\n\nWhat is new, {number}?::This\n".encode())
        return measure(*command)
    finally:
        for file, content in before.items():
            file.write_bytes(content)


def start_up(seed: int) -> None:
    """Measure what it costs to begin, and print it."""
    nothing = min((measure("-c", "pass") for _ in range(5)), key=_seconds)
    row("python -c pass", nothing.seconds, nothing.peak)
    for arguments in (("--help",), ("--version",)):
        run = min((measure("-m", "obs2anki", *arguments) for _ in range(5)), key=_seconds)
        note = f"{run.seconds / nothing.seconds:.1f} times python -c pass"
        row(f"obs2anki {arguments[0]}", run.seconds, run.peak, note)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = scratch
        command = ("-m", "obs2anki", "export", str(vault(1_000, seed)), "-o", f"{scratch}/d.apkg")
        measure(*command)
        run = min((measure(*command) for _ in range(5)), key=_seconds)
        note = f"{run.seconds / nothing.seconds:.1f} times python -c pass"
        row("export of nothing new", run.seconds, run.peak, note)


def _seconds(run: Run) -> float:
    return run.seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each size that the command line names."""
    parser = argparse.ArgumentParser(prog="benchmarks.export", description=__doc__.split("\n")[0])
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES, help="numbers of cards")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    # Where people have installed it, Python keeps what it has compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{platform.system()}, {os.cpu_count()} cores"
    )
    start_up(chosen.seed)
    for cards in chosen.sizes:
        export(cards, chosen.seed)


if __name__ == "__main__":
    main()
