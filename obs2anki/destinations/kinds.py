"""Our notetypes as they are in Anki, where fields and templates are the user's to arrange.

    Kind.of(1577836800101, "obs2anki", ("Front", ...), {"Mine": ..., "Card 1": ..., "Card 2": ...})
        .ordinals == (2, 0, 1)

To Anki a card is of the template that stands at its ordinal. The user may move templates, rename
and remove ours and add others: a card is ours where its template is.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from msgspec import structs

from obs2anki.data import Notetype
from obs2anki.deeds import HeldCard
from obs2anki.destinations.collection_notes import kind_of
from obs2anki.notetypes import DEFINITIONS

LAST = 500
"""How many cards a cloze note can have."""

_ALL = tuple(range(LAST))

_REVERSE = re.compile(r"\{\{#\s*Reverse\s*\}\}")


@dataclass(frozen=True, slots=True)
class Kind:
    """One of our notetypes as it is in Anki: the user may have changed its name and more."""

    notetype: Notetype
    id: int
    name: str
    fields: tuple[str, ...]
    """In Anki's order."""
    templates: tuple[str, ...]
    ordinals: tuple[int, ...]
    """What each of Anki's ordinals is to us; those of the user's own go on from ours."""
    lacks: frozenset[int]
    """Ordinals of ours whose template the user has removed."""

    @classmethod
    def of(
        cls, number: int, name: str, fields: tuple[str, ...], templates: Mapping[str, str]
    ) -> Kind | None:
        """A notetype of Anki's; `templates` are what they ask, by name. None = it is not ours."""
        notetype = kind_of(fields)
        if notetype is None:
            return None
        ordinals = _ordinals(notetype, templates)
        ours = frozenset(range(len(DEFINITIONS[notetype].templates)))
        return cls(
            notetype, number, name, fields, tuple(templates), ordinals, ours.difference(ordinals)
        )

    @property
    def is_released(self) -> bool:
        """Whether it is the notetype that a package brings, not one that the user made of it."""
        return self.id == DEFINITIONS[self.notetype].id

    @property
    def has_more(self) -> bool:
        """Whether the user has added templates: a package knows nothing of their cards."""
        ours = len(DEFINITIONS[self.notetype].templates)
        return self.notetype is Notetype.BASIC and max(self.ordinals) >= ours

    def told(self, cards: Sequence[HeldCard]) -> tuple[HeldCard, ...]:
        """The cards of a note, in Anki's order and with its ordinals, by what these are to us."""
        if self.ordinals is _ALL or self.ordinals == _ALL[: len(self.ordinals)]:
            return tuple(cards)
        told = dict(enumerate(self.ordinals))
        own = (structs.replace(card, ordinal=told.get(card.ordinal, LAST)) for card in cards)
        return tuple(sorted(own, key=lambda card: card.ordinal))

    def reorder(self, package: sqlite3.Connection) -> None:
        """Give the cards in a package Anki's ordinals; those that Anki cannot have are left out."""
        place = {ordinal: number for number, ordinal in enumerate(self.ordinals)}
        cards = package.execute(
            "SELECT id, ord FROM cards WHERE nid IN (SELECT id FROM notes WHERE mid = ?)",
            (self.id,),
        ).fetchall()
        for card, ordinal in cards:
            if ordinal not in place:
                package.execute("DELETE FROM cards WHERE id = ?", (card,))
            elif place[ordinal] != ordinal:
                package.execute("UPDATE cards SET ord = ? WHERE id = ?", (place[ordinal], card))


def _ordinals(notetype: Notetype, templates: Mapping[str, str]) -> tuple[int, ...]:
    """What each of Anki's ordinals is to us.

    Ours for the reverse direction is one that asks only where the field Reverse says so: made to
    ask always it is the user's. The ordinals of clozes are the numbers in the text, so all of
    them are ours.
    """
    if notetype is Notetype.CLOZE:
        return _ALL
    reverse = [name for name, question in templates.items() if _REVERSE.search(question)]
    others = [name for name in templates if name not in reverse]
    ours: dict[str, int] = {}
    for ordinal, names in enumerate((others, reverse)):
        released = DEFINITIONS[notetype].templates[ordinal].name
        if names:
            ours[released if released in names else names[0]] = ordinal
    further = count(len(DEFINITIONS[notetype].templates))
    return tuple(ours[name] if name in ours else next(further) for name in templates)
