"""A vault and an Anki that follow one another: `both.write({"a.md": "x;;y"}); both.sync()`.

with both.anki() as col:       # the user's turn, in Anki
    answer_good(col, guid)
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from anki.collection import Collection

# isort: split
# The other modules of anki expect that one to be there first.
from anki.cards import Card
from anki.decks import DeckId
from anki.notes import Note

from obs2anki import syncing
from obs2anki.build import Request
from obs2anki.data import Guid
from obs2anki.deeds import Changes, Verb
from obs2anki.destinations import collection as destination
from obs2anki.reconcile import NOTHING_MORE, Wishes
from obs2anki.syncing import Ending, Synced, Terms
from tests import anki_collection
from tests.anki_collection import answer_good

Row = tuple[object, ...]

REVIEWED = "<!--SR:!2030-04-25,14,290-->"
FIRST = {"a.md": f"What makes ATP?;;Mitochondria\n{REVIEWED}\n\nhus;;;house\n\nnew;;one"}
"""The vault at its first sync."""

COLUMNS = (
    *("type", "queue", "due", "ivl", "factor", "reps", "lapses", "left"),
    *("odue", "odid", "did", "flags", "data"),
)
REVIEWS = "select * from revlog order by id"
CARDS = f"select id, {', '.join(COLUMNS)} from cards order by id"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the user has come: every review, and every card as it is."""

    reviews: tuple[Row, ...]
    cards: Mapping[int, Row]


@dataclass(frozen=True, slots=True)
class Both:
    """A vault, and the profile of an Anki."""

    vault: Path
    profile: Path

    @property
    def collection(self) -> Path:
        """The collection's file."""
        return self.profile / "collection.anki2"

    def write(self, documents: Mapping[str, str]) -> None:
        """The vault now holds these documents, and no others."""
        for old in self.vault.rglob("*.md"):
            old.unlink()
        for path, text in documents.items():
            (self.vault / path).parent.mkdir(parents=True, exist_ok=True)
            (self.vault / path).write_text(f"#learning\n\n{text}\n", "utf-8")

    def sync(
        self,
        wishes: Wishes = NOTHING_MORE,
        *,
        dry_run: bool = False,
        confirmed: bool = True,
        deck_options: bool = False,
    ) -> Synced:
        """One sync."""
        return self.sync_on(Terms(lambda _: confirmed, wishes, dry_run, deck_options))

    def sync_on(self, terms: Terms) -> Synced:
        """One sync on these terms, which touches no card but those that it says."""
        session = destination.Collection(self.collection).session
        before = standing_in(self.collection)
        result = syncing.sync(Request(self.vault), session, terms)
        left_alone(before, standing_in(self.collection), result)
        return result

    def anki(self) -> AbstractContextManager[Collection]:
        """The collection, open, for the user to do something."""
        return anki_collection.collection(self.profile)

    def standing(self) -> Standing:
        """How far the user has come."""
        with self.anki() as col:
            return standing(col)

    def complaints(self) -> tuple[str, ...]:
        """What Anki finds fault with, in a copy."""
        with self.copied() as profile, anki_collection.collection(profile) as col:
            return anki_collection.complaints(col)

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """A copy of the profile: to check a collection changes it."""
        copy = self.profile.parent / "copy"
        shutil.copytree(self.profile, copy)
        try:
            yield copy
        finally:
            shutil.rmtree(copy)


def both(folder: Path) -> Both:
    """An empty vault and an empty Anki."""
    made = Both(folder / "vault", folder / "Anki2" / "User 1")
    made.vault.mkdir(parents=True)
    made.profile.mkdir(parents=True)
    with made.anki():
        pass
    return made


def standing(col: Collection) -> Standing:
    """How far the user of an open collection has come."""
    assert col.db is not None
    return _standing(col.db.all(REVIEWS), col.db.all(CARDS))


def standing_in(collection: Path) -> Standing:
    """How far the user has come in a collection that is not open, and stays as it is."""
    with closing(sqlite3.connect(f"{collection.as_uri()}?mode=ro&immutable=1", uri=True)) as one:
        return _standing(one.execute(REVIEWS).fetchall(), one.execute(CARDS).fetchall())


def _standing(reviews: Sequence[Sequence[object]], cards: Sequence[Sequence[object]]) -> Standing:
    return Standing(tuple(map(tuple, reviews)), {int(str(row[0])): tuple(row[1:]) for row in cards})


def left_alone(before: Standing, after: Standing, synced: Synced) -> None:
    """No review is lost or invented, and each card is as it was but for what the sync tells."""
    changed = synced.changes.changed if synced.ending is Ending.WRITTEN else ()
    may_differ: dict[int, set[str]] = {}
    for change in changed:
        renewed = [card for card, _ in change.reschedule]
        moved = change.move.cards if change.move is not None else ()
        for cards, columns in (
            ((*change.suspend, *change.wake), ("queue",)),
            (moved, ("did",)),
            (renewed, COLUMNS),
        ):
            for card in cards:
                may_differ.setdefault(card, set()).update(columns)
    assert after.reviews == before.reviews
    for number, row in before.cards.items():
        now = zip(COLUMNS, row, after.cards[number], strict=True)
        assert {name for name, was, is_ in now if was != is_} <= may_differ.get(number, set())


def study(col: Collection) -> None:
    """The user answers two cards of the first sync."""
    answer_good(col, guid(col, "What makes ATP?"))
    answer_good(col, guid(col, "hus"), 1)


def done(synced: Synced) -> dict[Verb, int]:
    """How many notes each thing was done to, but for nothing."""
    return {verb: count for verb, count in syncing.counts(synced.changes).items() if count}


def nothing(changes: Changes) -> bool:
    """Whether nothing is to be written."""
    return not changes.writes


def note(col: Collection, front: str) -> Note:
    """The note that asks `front`."""
    (found,) = (n for n in map(col.get_note, col.find_notes("")) if n.fields[0] == front)
    return found


def guid(col: Collection, front: str) -> Guid:
    """The GUID of the note that asks `front`."""
    return Guid(note(col, front).guid)


def card(col: Collection, front: str, ordinal: int = 0) -> Card:
    """A card of the note that asks `front`."""
    (found,) = (c for c in note(col, front).cards() if c.ord == ordinal)
    return found


def deck(col: Collection, front: str, ordinal: int = 0) -> str:
    """The deck of a card."""
    return col.decks.name(card(col, front, ordinal).did)


def fronts(col: Collection) -> list[str]:
    """What each note asks."""
    return sorted(col.get_note(number).fields[0] for number in col.find_notes(""))


def rename(col: Collection, old: str, new: str) -> None:
    """Rename a deck in Anki."""
    number = col.decks.id_for_name(old)
    assert number is not None
    col.decks.rename(DeckId(number), new)
