"""Vaults written into a folder, and the command line used on them.

`run(["list", str(vault(folder, {"a.md": "a;; b"}))], capsys)` answers exit code, stdout, stderr.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from obs2anki import cli

ROOT = Path(__file__).resolve().parent.parent

PLUGIN = ".obsidian/plugins/obsidian-spaced-repetition/data.json"

OCEANS = """\
---
tags:
  - learning
  - deep_sea
---
# Notes on the sea

A paragraph that is no flashcard.

<!--SR:!2000-01-01,1,250!2024-04-22,11,270-->

How deep is the deepest trench;; About eleven kilometres
<!--SR:!2024-04-12,1,232-->
What makes the tides;; The Moon, and a little the Sun
The sea is salt because;; rivers carry minerals into it
<!--SR:!2024-04-25,14,290-->

What lives at black smokers?
?
Tube worms and bacteria.
"""
"""Four flashcards, two of them reviewed, and in line 10 a comment that belongs to none."""


def vault(folder: Path, documents: Mapping[str, str | bytes]) -> Path:
    """The folder, filled with documents and whatever else is named."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in documents.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def oceans(folder: Path) -> Path:
    """A vault of one document, without the plugin's settings."""
    return vault(folder / "sea", {"Oceans.md": OCEANS})


def tagged(**settings: object) -> str:
    """The plugin's data.json; `#flashcards`, `::` and highlights unless told otherwise."""
    usual = {
        "flashcardTags": ["#flashcards"],
        "clozePatterns": ["==[123;;]answer[;;hint]=="],
    }
    return json.dumps({"settings": usual | settings})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Ended:
    """Run a command in this process."""
    capsys.readouterr()
    code = cli.run(arguments)
    said = capsys.readouterr()
    return Ended(code, said.out, said.err)


def child(
    arguments: list[str], folder: Path, before: str = "", env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """A command in a process of its own, in `folder`; `before` is Python that runs first."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{before}\n"
    code += "from obs2anki.__main__ import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=env,
    )


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for a command to end."""
    out, err = process.communicate(timeout=60)
    return Ended(process.returncode, out, err)


def held(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and what it holds."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }
