r"""Text as Anki stores it: fields, tags and the names of decks.

    clean_tag("to do::x y")      ->  "to_do::x_y"
    clean_deck("a :: ::b")       ->  ("a", "b")

Anki mends in silence what it is given (26.09): what is written, and what is compared with what
Anki holds, is mended here first.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from obs2anki.data import DeckName

DEEPEST_DECK = 11
"""Levels of decks; one more aborts the whole import."""

_DROPPED = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_DROPPED_ASCII = bytes(code for code in range(128) if _DROPPED.match(chr(code)))


def clean(text: str) -> str:
    r"""`text` as Anki stores it: NFC, no control characters but tab and newline.

    Anki drops the others in silence, but for \x1f and lone surrogates: those abort the import.
    """
    if not text.isascii():
        return _clean_beyond_ascii(text)
    if text.isprintable() or len(text.encode().translate(None, _DROPPED_ASCII)) == len(text):
        return text
    return _DROPPED.sub("", text)


@lru_cache(maxsize=256)  # many flashcards stand below one heading
def _clean_beyond_ascii(text: str) -> str:
    if not text.isprintable():
        text = _DROPPED.sub("", text)
    return unicodedata.normalize("NFC", text)


def clean_fields(fields: tuple[str, ...]) -> list[str]:
    """`clean` for each."""
    return [clean(field) for field in fields]


@lru_cache(maxsize=10_000)
def clean_tag(tag: str) -> str:
    """`tag` as Anki stores it: white space is `_`, and no part between `::` is empty."""
    parts = ("_".join(clean(part).split()) for part in tag.split("::"))
    return "::".join(part for part in parts if part)


@lru_cache(maxsize=10_000)
def clean_deck(name: DeckName) -> tuple[str, ...]:
    """The parts of a deck's name as Anki stores them, at most as many as it can hold."""
    parts = (" ".join(clean(part).split()) for part in name.split("::"))
    return tuple(part for part in parts if part)[:DEEPEST_DECK] or ("Default",)


@lru_cache(maxsize=10_000)
def deck_key(name: DeckName) -> tuple[str, ...]:
    """What two names have in common that Anki takes for one deck: it ignores case."""
    return tuple(part.casefold() for part in clean_deck(name))
