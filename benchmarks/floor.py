"""The least that an export can cost: its input read, its rows inserted, its zip written.

    python -m benchmarks.floor VAULT PACKAGE

VAULT is read once and passed over line by line. The rows that an export left in PACKAGE go
into a new database with genanki's schema, and that is deflated beside the package's media.
Nothing is parsed, rendered or decided. Prints the seconds of each part as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from genanki.apkg_schema import APKG_SCHEMA

TABLES = ("col", "notes", "cards", "revlog", "graves")


def read(vault: Path) -> float:
    """Seconds to read and decode every document, and to pass over its lines once."""
    start = time.perf_counter()
    for folder, _, names in os.walk(vault):
        for name in names:
            if name.endswith(".md"):
                text = (Path(folder) / name).read_bytes().decode()
                for line in text.splitlines():
                    line.strip()
    return time.perf_counter() - start


def _rows(database: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    yield from database.execute(f"SELECT * FROM {table}")


def insert(source: Path, target: Path) -> float:
    """Seconds to insert the rows of one database into another, without those to fetch them."""
    old, new = sqlite3.connect(source), sqlite3.connect(target)
    start = time.perf_counter()
    for table in TABLES:
        for _ in _rows(old, table):
            pass
    fetching = time.perf_counter() - start
    start = time.perf_counter()
    new.executescript(APKG_SCHEMA)
    for table in TABLES:
        width = len(old.execute(f"PRAGMA table_info({table})").fetchall())
        marks = ", ".join("?" * width)
        new.executemany(f"INSERT INTO {table} VALUES ({marks})", _rows(old, table))
    new.commit()
    inserting = time.perf_counter() - start
    old.close()
    new.close()
    return inserting - fetching


def deflate(database: Path, package: Path, target: Path) -> float:
    """Seconds to write a database, and the media of a package, into a deflated zip."""
    with zipfile.ZipFile(package) as held:
        media = {n: held.read(n) for n in held.namelist() if not n.startswith("collection.")}
    start = time.perf_counter()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        made.write(database, "collection.anki2")
        for name, content in media.items():
            made.writestr(name, content)
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(prog="benchmarks.floor", description="Measure the floor.")
    parser.add_argument("vault", type=Path)
    parser.add_argument("package", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with zipfile.ZipFile(arguments.package) as package:
            package.extract("collection.anki2", folder)
        source, target = folder / "collection.anki2", folder / "floor.anki2"
        seconds = {
            "read": read(arguments.vault),
            "insert": insert(source, target),
            "deflate": deflate(target, arguments.package, folder / "floor.apkg"),
        }
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
