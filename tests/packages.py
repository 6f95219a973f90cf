"""Packages on disk, made from plans and looked into: `rows(path, "SELECT guid FROM notes")`."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

from obs2anki.data import Plan
from obs2anki.destinations.package import Package


def packed(folder: Path, plan: Plan, name: str = "deck.apkg") -> Path:
    """The package that holds `plan`."""
    path = folder / name
    Package(path).deliver(plan)
    return path


def rows(package: Path, question: str) -> list[tuple[object, ...]]:
    """What the collection in a package answers to a question in SQL."""
    with zipfile.ZipFile(package) as opened, closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(opened.read("collection.anki2"))
        return connection.execute(question).fetchall()
