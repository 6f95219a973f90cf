"""What the ordinals of a user's cards are to us: the templates are the user's to arrange.

    {"Mine": "{{Back}}", "Card 1": "{{Front}}", "Card 2": "{{#Reverse}}..."}   ->  (2, 0, 1)

To Anki a card is of the template that stands at its ordinal. The user may move templates, rename
and remove ours and add others: a card is ours where its template is.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from itertools import count

from msgspec import structs

from obs2anki.data import Notetype
from obs2anki.deeds import HeldCard
from obs2anki.notetypes import DEFINITIONS

LAST = 500
"""How many cards a cloze note can have."""

ALL = tuple(range(LAST))

_REVERSE = re.compile(r"\{\{#\s*Reverse\s*\}\}")


def ordinals_of(kind: Notetype, templates: Mapping[str, str]) -> tuple[int, ...]:
    """What each of Anki's ordinals is to us; `templates` are what they ask, by name, in order.

    Ours for the reverse direction is one that asks only where the field Reverse says so: made to
    ask always it is the user's. Those of the user's own count on from ours. The ordinals of
    clozes are the numbers in the text, so all of them are ours.
    """
    if kind is Notetype.CLOZE:
        return ALL
    reverse = [name for name, question in templates.items() if _REVERSE.search(question)]
    others = [name for name in templates if name not in reverse]
    ours: dict[str, int] = {}
    for ordinal, names in enumerate((others, reverse)):
        released = DEFINITIONS[kind].templates[ordinal].name
        if names:
            ours[released if released in names else names[0]] = ordinal
    further = count(len(DEFINITIONS[kind].templates))
    return tuple(ours[name] if name in ours else next(further) for name in templates)


def lacking(kind: Notetype, ordinals: Sequence[int]) -> frozenset[int]:
    """Ordinals of ours whose template the user has removed."""
    return frozenset(range(len(DEFINITIONS[kind].templates))).difference(ordinals)


def has_more(kind: Notetype, ordinals: Sequence[int]) -> bool:
    """Whether the user has added templates: a package knows nothing of their cards."""
    return kind is Notetype.BASIC and max(ordinals) >= len(DEFINITIONS[kind].templates)


def by_ordinal(cards: Sequence[HeldCard], ordinals: Sequence[int]) -> tuple[HeldCard, ...]:
    """The cards of a note, in Anki's order and with its ordinals, by what these are to us."""
    if ordinals is ALL or ordinals == ALL[: len(ordinals)]:
        return tuple(cards)
    told = dict(enumerate(ordinals))
    own = (structs.replace(card, ordinal=told.get(card.ordinal, LAST)) for card in cards)
    return tuple(sorted(own, key=lambda card: card.ordinal))


def reorder(connection: sqlite3.Connection, notetype: int, ordinals: Sequence[int]) -> None:
    """Give the cards in a package Anki's own ordinals; those that Anki cannot have are left out."""
    place = {ordinal: number for number, ordinal in enumerate(ordinals)}
    cards = connection.execute(
        "SELECT id, ord FROM cards WHERE nid IN (SELECT id FROM notes WHERE mid = ?)", (notetype,)
    ).fetchall()
    for card, ordinal in cards:
        if ordinal not in place:
            connection.execute("DELETE FROM cards WHERE id = ?", (card,))
        elif place[ordinal] != ordinal:
            connection.execute("UPDATE cards SET ord = ? WHERE id = ?", (place[ordinal], card))
