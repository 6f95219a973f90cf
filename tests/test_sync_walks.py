"""A vault and an Anki that both change at random, with a sync after each few changes.

Whatever happened before: a sync loses no review and no card's state, doubles no note, keeps what
is the user's, and leaves nothing to do for the next one.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from anki.collection import Collection

# isort: split
# The other modules of anki expect that one to be there first.
from anki.notes import Note

from obs2anki.deeds import ORPHAN_TAG, Verb
from tests import synced
from tests.anki_collection import answer_good
from tests.killed_syncs import words
from tests.synced import Both

REVIEW = "<!--SR:!2030-04-25,14,290-->"


@dataclass(slots=True)
class Written:
    """A flashcard as it stands in the vault."""

    question: str
    answer: str
    deck: str = "one"
    reversed: bool = False
    tag: str = ""
    reviewed: bool = True
    fresh: bool = False
    """Whether it was gone, or worded otherwise, at the last sync: both is a new flashcard."""

    def text(self) -> str:
        tag = f" #{self.tag}" if self.tag else ""
        review = f"\n{REVIEW}" if self.reviewed else ""
        separator = ";;;" if self.reversed else ";;"
        return f"#learning/{self.deck} {self.question}{separator}{self.answer}{tag}{review}"


@dataclass(slots=True)
class Walk:
    """What a walk has come to."""

    both: Both
    dice: random.Random
    there: list[Written] = field(default_factory=list)
    gone: list[Written] = field(default_factory=list)
    made: int = 0

    def write(self) -> None:
        self.both.write({"a.md": "\n\n".join(one.text() for one in self.there)})

    # ------------------------------------------------------------ in the vault

    def add(self) -> None:
        self.made += 1
        seed = f"{self.made}"
        new = Written(words(f"q{seed}"), words(f"a{seed}"), reviewed=self.dice.random() < 0.5)
        self.there.insert(self.dice.randrange(len(self.there) + 1), new)

    def reword(self) -> None:
        self.made += 1
        one = self.dice.choice([one for one in self.there if not one.fresh])
        one.answer, one.fresh = words(f"a{self.made}"), True

    def turn(self) -> None:
        one = self.dice.choice(self.there)
        one.reversed = not one.reversed

    def file(self) -> None:
        self.dice.choice(self.there).deck = self.dice.choice(("one", "two", "three/four"))

    def tag(self) -> None:
        self.dice.choice(self.there).tag = self.dice.choice(("", "red", "green/dark"))

    def remove(self) -> None:
        known = [one for one in self.there if not one.fresh]
        if len(known) > 3:
            self.gone.append(self.dice.choice(known))
            self.there.remove(self.gone[-1])

    def bring_back(self) -> None:
        if self.gone:
            self.there.append(self.gone.pop())
            self.there[-1].fresh = True

    # ------------------------------------------------------------ in Anki

    def note(self, col: Collection) -> Note:
        return col.get_note(self.dice.choice(list(col.find_notes("note:obs2anki"))))

    def answer(self, col: Collection) -> None:
        one = self.note(col)
        if one.cards()[0].queue >= 0:
            answer_good(col, one.guid)

    def edit(self, col: Collection) -> None:
        one = self.note(col)
        one["Back"] += " mine"
        one["Notes"] = "mine"
        col.update_note(one)

    def tag_there(self, col: Collection) -> None:
        one = self.note(col)
        one.add_tag("own")
        col.update_note(one)

    def move(self, col: Collection) -> None:
        deck = col.decks.id("mine")
        assert deck is not None
        col.set_deck([self.dice.choice(self.note(col).cards()).id], deck)

    def rename(self, col: Collection) -> None:
        decks = [deck for deck in col.decks.all_names_and_ids() if "::" in deck.name]
        if decks:
            synced.rename(col, self.dice.choice(decks).name, f"renamed {self.dice.randrange(9)}")

    def suspend(self, col: Collection) -> None:
        col.sched.suspend_cards([card.id for card in self.note(col).cards()])

    def wake(self, col: Collection) -> None:
        col.sched.unsuspend_cards([card.id for card in self.note(col).cards()])

    def flag(self, col: Collection) -> None:
        col.set_user_flag_for_cards(2, [self.note(col).cards()[0].id])

    def delete(self, col: Collection) -> None:
        col.remove_notes([self.note(col).id])


def users(col: Collection) -> dict[int, tuple[str, bool, int]]:
    """What is the user's in each note: Notes, a tag of theirs, the flags of its cards."""
    notes = map(col.get_note, col.find_notes("note:obs2anki"))
    return {
        note.id: (note["Notes"], "own" in note.tags, sum(card.flags for card in note.cards()))
        for note in notes
    }


def scheduling(row: tuple[object, ...]) -> tuple[object, ...]:
    """A card but for its queue and its deck."""
    return (row[0], *row[2:10], *row[11:])


@pytest.mark.parametrize("seed", range(4))
def test_whatever_both_do_nothing_is_lost_or_doubled(seed: int, tmp_path: Path) -> None:
    walk = Walk(synced.both(tmp_path), random.Random(seed))
    in_the_vault: list[Callable[[], None]] = [
        *(walk.add, walk.reword, walk.turn, walk.file, walk.tag, walk.remove, walk.bring_back),
    ]
    in_anki: list[Callable[[Collection], None]] = [
        *(walk.answer, walk.edit, walk.tag_there, walk.move, walk.rename),
        *(walk.suspend, walk.wake, walk.flag, walk.delete),
    ]
    for _ in range(10):
        walk.add()
    walk.write()
    walk.both.sync()
    for _ in range(10):
        for one in (*walk.there, *walk.gone):
            one.fresh = False
        for deed in walk.dice.sample(in_the_vault, k=3):
            deed()
        walk.write()
        with walk.both.anki() as col:
            for act in walk.dice.sample(in_anki, k=3):
                act(col)
            own, before = users(col), synced.standing(col)
        walk.both.sync()
        again = walk.both.sync()
        assert not again.changes.writes
        assert set(synced.done(again)) <= {Verb.UNCHANGED, Verb.CONFLICT}
        with walk.both.anki() as col:
            after = synced.standing(col)
            assert after.reviews == before.reviews
            for number, row in before.cards.items():
                assert scheduling(after.cards[number]) == scheduling(row)
            now = users(col)
            assert {number: now[number] for number in own} == own
            guids = [col.get_note(number).guid for number in col.find_notes("")]
            assert len(guids) == len(set(guids))
            awake = set(synced.fronts(col)) - {
                col.get_note(number).fields[0] for number in col.find_notes(f"tag:{ORPHAN_TAG}")
            }
            assert awake == {one.question for one in walk.there}
        faults = [one for one in walk.both.complaints() if not one.startswith("empty cards")]
        assert faults == []
