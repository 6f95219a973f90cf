"""How long a sync takes with a collection: the first, one where nothing changed, and an edit.

    python -m benchmarks.sync [NOTES]

A vault with so many notes (10,000 unless told otherwise) is synced into an empty collection, and
then with nothing changed: once in a whole process, and once stage by stage. Beside the times
stands what Anki's engine takes by itself to be imported and to open the collection.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import vaults

COMMAND = "from obs2anki.__main__ import main; main()"
OPENING = (
    "import sys, time; began = time.monotonic(); from anki.collection import Collection; "
    "imported = time.monotonic(); Collection(sys.argv[1]).close(); "
    "print(imported - began, time.monotonic() - imported)"
)


def run(what: str, *arguments: str) -> None:
    """One command in a process of its own, with its time, also the processor's, and last words."""
    began, used = time.monotonic(), _used()
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True, check=True
    )
    words = [line for line in done.stdout.splitlines() if line.startswith("Anki follows")]
    took, worked = time.monotonic() - began, _used() - used
    print(f"{what:32}{took:8.2f} s {worked:8.2f} s CPU   {''.join(words)}")


def _used() -> float:
    """Seconds of the processor that child processes took so far."""
    return sum(os.times()[2:4])


def timed(what: str, job: Callable[[], object]) -> None:
    """One job in this process, with its time."""
    began = time.monotonic()
    job()
    print(f"{what:32}{time.monotonic() - began:8.2f} s")


def stages(vault: Path, collection: Path) -> None:
    """A sync with nothing changed, stage by stage."""
    from obs2anki import build, cache, reconcile
    from obs2anki.destinations.collection import Collection

    began = time.monotonic()
    round_ = build.prepare(build.Request(vault, cache=cache.folder()))
    print(f"{'  read and plan the vault':32}{time.monotonic() - began:8.2f} s")
    assert round_.known is not None
    entries = round_.known.entries
    with Collection(collection).session() as anki:
        began = time.monotonic()
        holding = anki.read(round_.plan.namespace)
        print(f"{'  open and read the collection':32}{time.monotonic() - began:8.2f} s")
        timed("  compare", lambda: reconcile.changes(round_.plan, holding, entries))


def main(notes: int) -> None:
    """Measure with a vault of about so many notes."""
    with tempfile.TemporaryDirectory() as folder:
        vault, profile = Path(folder, "vault"), Path(folder, "profile")
        vault.mkdir()
        profile.mkdir()
        vaults.write(vault, notes)
        collection = profile / "collection.anki2"
        subprocess.run([sys.executable, "-c", OPENING, str(collection)], check=True)
        arguments = ("sync", str(vault), "--collection", str(collection), "--yes")
        run("first sync", *arguments)
        run("nothing changed", *arguments)
        run("nothing changed", *arguments)
        stages(vault, collection)
        document = next(path for path in sorted(vault.rglob("*.md")) if "::" in path.read_text())
        document.write_text(document.read_text().replace("::", "::another ", 1))
        run("one document edited", *arguments)
        print("Anki's engine: imported, and the collection opened (seconds):")
        subprocess.run([sys.executable, "-c", OPENING, str(collection)], check=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
