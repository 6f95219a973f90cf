"""What the user asked for, and where that lies on the disk.

obs2anki export ~/vault -o deck.apkg   ->   Request(Path("~/vault"), Path("deck.apkg"))
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from obs2anki.diagnostics import Obs2ankiError
from obs2anki.settings import Layer, Settings


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    vault: Path
    output: Path | None = None
    """Where the deck goes; None = what the settings say."""
    options: Layer = ()
    """Settings from the command line."""
    stateless: bool = False
    """Whether to do without a ledger."""
    cache: Path | None = None
    """The folder where caches lie; None = without."""


def place_of_ledger(root: Path, in_force: Settings) -> Path:
    """Where the ledger is kept. Raises Obs2ankiError where a link leads it out of the vault."""
    place = root / in_force.ledger
    if not place.resolve().is_relative_to(root.resolve()):
        raise Obs2ankiError(
            f"The ledger {place} lies outside of the vault, where a link leads it. "
            "Remove the link, or name another place: ledger = ... in obs2anki.toml"
        )
    return place


def deck_of(request: Request, in_force: Settings, name: str) -> Path:
    """Where the deck goes: -o, `output` below the vault, or the vault's name, here.

    Raises Obs2ankiError where the deck would pass for a document.
    """
    if request.output is not None:
        return _no_document(request.output)
    if in_force.output is not None:
        return _no_document(request.vault / in_force.output)
    # In a locale that is not UTF-8 the name needs the disk's own spelling.
    return Path(os.fsdecode(f"{name}.apkg".encode()))


def _no_document(deck: Path) -> Path:
    if deck.suffix.lower() == ".md":
        raise Obs2ankiError(
            f"{deck} is the name of a document, and a deck is none. "
            f"Name it otherwise, such as {deck.with_suffix('.apkg')}"
        )
    return deck
