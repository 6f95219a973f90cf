"""Years of answers in Anki stay with their flashcards, whatever is done to the vault meanwhile.

Export, import, answer, edit the vault, export, import: with Anki's own engine.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from anki.collection import Collection

# isort: split
# The other modules of anki expect that one to be there first.
from anki.cards import CardId
from anki.notes import NoteId

from obs2anki import build
from obs2anki.data import Guid, Plan
from tests.anki_collection import answer_good, bring, collection, complaints, rendered
from tests.commands import PLUGIN, tagged, vault
from tests.sync_server import device, running

CELLS = """\
---
tags: [flashcards]
---
# Cells

What holds a plant cell together from outside?::The cell wall

What makes most of the energy in a cell?::The mitochondrion

Which part of a plant drinks water?::The root

What drives photosynthesis in green leaves?
?
Light from the sun

The ==nucleus== of a cell holds its ==genes== and lies in the ==cytoplasm== all day.
"""

SEEDS = """\
---
tags: [flashcards]
---
What makes a seed sprout in spring?::Water and warmth

Who carries seeds from tree to tree?:::Birds and squirrels
"""

WALL = "What holds a plant cell together from outside?::The cell wall"
LIGHT = "What drives photosynthesis in green leaves?\n?\nLight from the sun"
SPROUT = "What makes a seed sprout in spring?::Water and warmth"
BIRDS = "Who carries seeds from tree to tree?:::Birds and squirrels"
CLOZE = "The ==nucleus== of a cell holds its ==genes== and lies in the ==cytoplasm== all day."

ALIASES = {
    "wall": "plant cell together",
    "energy": "most of the energy",
    "root": "drinks water",
    "light": "photosynthesis",
    "cloze": "nucleus",
    "sprout": "seed sprout",
    "birds": "carries seeds",
}
"""A short name for each note, and words that it begins with."""

Files = dict[str, str]
Edit = Callable[[Files], Files]


# ---------------------------------------------------------------- a vault and a collection


@dataclass(frozen=True, slots=True)
class CardRow:
    """What must not be lost of a card."""

    card: int
    note: int
    deck: int
    scheduling: tuple[object, ...]
    reviews: tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A note as Anki has it."""

    note: int
    mod: int
    tags: tuple[str, ...]
    fields: Mapping[str, str]


@dataclass(slots=True)
class Learner:
    """Somebody with a vault and a collection; each export is an hour after the one before."""

    folder: Path
    col: Collection
    now: int = field(default_factory=lambda: int(time.time()))
    codes: list[str] = field(default_factory=list)
    """Of the findings of the last export."""
    guids: dict[str, str] = field(default_factory=dict)
    """By alias."""
    root: Path = field(init=False)
    plan: Plan = field(init=False)

    def __post_init__(self) -> None:
        self.root = vault(self.folder / "garden", {PLUGIN: tagged(singleLineCardSeparator="::")})

    @property
    def deck(self) -> Path:
        return self.folder / "deck.apkg"

    def write(self, files: Files) -> None:
        """Make the vault hold these documents and no other."""
        for old in self.root.rglob("*.md"):
            old.unlink()
        vault(self.root, files)

    def export(self) -> None:
        self.now += 3600
        before = os.environ.get("SOURCE_DATE_EPOCH")
        os.environ["SOURCE_DATE_EPOCH"] = str(self.now)
        try:
            outcome = build.run(build.Request(self.root, self.deck), build.export)
        finally:
            del os.environ["SOURCE_DATE_EPOCH"]
        assert before is None
        self.plan = outcome.round.plan
        self.codes = [found.code for found in self.plan.diagnostics]

    def import_(self) -> tuple[int, int]:
        """Import the deck; answers how many notes were added and how many updated."""
        log = bring(self.col, self.deck)
        return len(log.new), len(log.updated)

    def learn(self, files: Files) -> None:
        """Export and import the vault for the first time, and answer every card."""
        self.write(files)
        self.export()
        self.import_()
        for guid, note in self.notes().items():
            first = next(iter(note.fields.values()))
            alias = next((a for a, words in ALIASES.items() if words in first), first)
            self.guids[alias] = guid
        for guid, ordinal in self.cards():
            answer_good(self.col, guid, ordinal)
            answer_good(self.col, guid, ordinal)

    def cards(self) -> dict[tuple[str, int], CardRow]:
        assert self.col.db is not None
        rows = self.col.db.all(
            "select guid, ord, c.id, nid, did, type, queue, due, ivl, factor, reps, lapses, left"
            " from cards c join notes n on n.id = nid order by guid, ord"
        )
        log = self.col.db.all("select cid, id, ease, ivl, lastIvl, factor, time, type from revlog")
        return {
            (guid, ordinal): CardRow(
                card, note, deck, tuple(rest), tuple(tuple(r) for r in log if r[0] == card)
            )
            for guid, ordinal, card, note, deck, *rest in rows
        }

    def notes(self) -> dict[str, NoteRow]:
        assert self.col.db is not None
        found = {}
        for guid, note, mod in self.col.db.all("select guid, id, mod from notes order by guid"):
            row = self.col.get_note(NoteId(note))
            found[guid] = NoteRow(note, mod, tuple(row.tags), dict(row.items()))
        return found

    def note(self, alias: str) -> NoteRow:
        return self.notes()[self.guids[alias]]

    def asks(self, alias: str, ordinal: int = 0) -> str:
        """What stands on the front of a card, as text; `[...]` is what it asks for."""
        question = rendered(self.col, self.guids[alias], ordinal)[0]
        return re.sub(r"<style>.*?</style>|<[^>]*>", "", question, flags=re.DOTALL)

    def change_in_anki(self, alias: str, name: str, text: str) -> None:
        note = self.col.get_note(NoteId(self.note(alias).note))
        note[name] = text
        self.col.update_note(note)


@pytest.fixture
def learner(tmp_path: Path) -> Iterator[Learner]:
    with collection(tmp_path) as col:
        yield Learner(tmp_path, col)


def garden() -> Files:
    return {"plants/cells.md": CELLS, "plants/seeds.md": SEEDS}


# ---------------------------------------------------------------- edits


def in_cells(old: str, new: str) -> Edit:
    """Another text in the first document."""

    def edit(files: Files) -> Files:
        assert old in files["plants/cells.md"]
        return files | {"plants/cells.md": files["plants/cells.md"].replace(old, new)}

    return edit


def in_seeds(old: str, new: str) -> Edit:
    def edit(files: Files) -> Files:
        assert old in files["plants/seeds.md"]
        return files | {"plants/seeds.md": files["plants/seeds.md"].replace(old, new)}

    return edit


def renamed(old: str, new: str) -> Edit:
    return lambda files: {path.replace(old, new): text for path, text in files.items()}


def moved(files: Files) -> Files:
    return {
        "plants/cells.md": CELLS.replace(WALL + "\n\n", ""),
        "plants/seeds.md": SEEDS + "\n" + WALL + "\n",
    }


def reordered(files: Files) -> Files:
    head, *parts = CELLS.partition("# Cells\n")[2].strip().split("\n\n")
    parts = [head, *parts]
    start = CELLS.partition("# Cells\n")[0] + "# Cells\n\n"
    return files | {"plants/cells.md": start + "\n\n".join(reversed(parts)) + "\n"}


def one_document(files: Files) -> Files:
    return {"plants/cells.md": CELLS + "\n" + SEEDS.split("---\n")[2]}


IN_CELLS = ("wall", "energy", "root", "light", "cloze")

EDITS: dict[str, tuple[Edit, tuple[str, ...]]] = {
    # What is done to the vault, and the notes whose content changes by it.
    "nothing": (lambda files: files, ()),
    "a question is reworded": (
        in_cells("holds a plant cell together", "keeps a plant cell together"),
        ("wall",),
    ),
    "an answer is rewritten": (in_cells("::The cell wall", "::Cellulose, mostly"), ("wall",)),
    "both sides are reworded a little": (
        in_cells(
            "photosynthesis in green leaves?\n?\nLight from the sun",
            "photosynthesis in the green leaves?\n?\nThe light from the sun",
        ),
        ("light",),
    ),
    "a typo is mended": (
        in_cells("drinks water?::The root", "drinks water?::The roots"),
        ("root",),
    ),
    "the order is another": (reordered, ()),
    "one moves to another document": (moved, ("wall",)),
    "a document is renamed": (renamed("plants/cells", "plants/Cell biology"), IN_CELLS),
    "a folder is renamed": (renamed("plants/", "flora/"), (*IN_CELLS, "sprout", "birds")),
    "two documents are merged": (one_document, ("sprout", "birds")),
    "one line becomes several": (in_cells(WALL, WALL.replace("::", "\n?\n")), ()),
    "several lines become one": (in_cells(LIGHT, LIGHT.replace("\n?\n", "::")), ()),
    "basic becomes reversed": (in_cells(WALL, WALL.replace("::", ":::")), ("wall",)),
    "reversed becomes basic": (in_seeds(BIRDS, BIRDS.replace(":::", "::")), ("birds",)),
    "a tag is added": (in_cells(WALL, WALL + " #hard"), ("wall",)),
    "a block id is added": (in_cells(WALL, WALL + " ^wall"), ("wall",)),
    "it becomes an item of a list": (in_cells(WALL, "- " + WALL), ()),
    "the deck is another": (in_seeds("[flashcards]", "[flashcards/botany]"), ("sprout", "birds")),
    "a heading is put above": (in_seeds(SPROUT, "# Seeds\n\n" + SPROUT), ("sprout", "birds")),
    "a cloze is added": (in_cells("all day", "all ==day=="), ("cloze",)),
    "the first cloze is removed": (in_cells("==nucleus==", "nucleus"), ("cloze",)),
    "a cloze's text is reworded": (in_cells("of a cell holds", "of each cell holds"), ("cloze",)),
    "reviews come in": (in_cells(WALL, WALL + "\n<!--SR:!2024-04-12,1,232-->"), ()),
    "one is new": (in_cells("# Cells\n", "# Cells\n\nWhat is new?::This one\n"), ()),
    "one leaves": (in_cells(WALL + "\n\n", ""), ()),
}


@pytest.mark.parametrize("kind", EDITS)
def test_every_card_keeps_its_history_through_an_edit(kind: str, learner: Learner) -> None:
    edit, changed = EDITS[kind]
    learner.learn(garden())
    cards, notes = learner.cards(), learner.notes()
    assert all(card.reviews for card in cards.values())
    learner.write(edit(garden()))
    learner.export()
    added, updated = learner.import_()

    after = learner.cards()
    assert {key: after[key] for key in cards} == cards
    now = learner.notes()
    assert {a for a, guid in learner.guids.items() if now[guid].mod != notes[guid].mod} == set(
        changed
    )
    assert all(now[learner.guids[alias]].mod > notes[learner.guids[alias]].mod for alias in changed)
    assert added == len(now) - len(notes) == (kind == "one is new")
    assert updated == len(changed)
    delivered = {note.guid: note for note in learner.plan.notes}
    for alias in changed:
        guid = learner.guids[alias]
        assert tuple(now[guid].fields.values()) == delivered[Guid(guid)].fields
        assert set(now[guid].tags) == set(delivered[Guid(guid)].tags)
    assert set(after) - set(cards) == {
        "basic becomes reversed": {(learner.guids["wall"], 1)},
        "a cloze is added": {(learner.guids["cloze"], 3)},
        "one is new": {(guid, 0) for guid in now if guid not in notes},
    }.get(kind, set())
    # A card that nothing asks for any more is Anki's Empty Cards' to offer.
    empty = {"reversed becomes basic": "birds", "the first cloze is removed": "cloze"}
    assert len(complaints(learner.col)) == (kind in empty)


# ---------------------------------------------------------------- what is done in Anki


def test_notes_edited_in_anki_stay_so_where_the_vault_did_not_change(learner: Learner) -> None:
    learner.learn(garden())
    learner.change_in_anki("energy", "Back", "edited in Anki")
    learner.change_in_anki("cloze", "Extra", "my own words")
    cards, notes = learner.cards(), learner.notes()
    learner.export()
    assert learner.import_() == (0, 0)
    assert (learner.cards(), learner.notes()) == (cards, notes)
    learner.write(in_cells("drinks water", "drinks the water")(garden()))
    learner.export()
    assert learner.import_() == (0, 1)
    assert learner.note("energy").fields["Back"] == "edited in Anki"
    assert learner.note("cloze").fields["Extra"] == "my own words"
    assert "drinks the water" in learner.note("root").fields["Front"]
    assert learner.cards() == cards


def test_a_deck_chosen_in_anki_stays(learner: Learner) -> None:
    learner.learn(garden())
    other = learner.col.decks.id("My own deck")
    assert other is not None
    (card,) = (c.card for (guid, _), c in learner.cards().items() if guid == learner.guids["wall"])
    learner.col.set_deck([CardId(card)], other)
    learner.write(in_cells("::The cell wall", "::Cellulose, mostly")(garden()))
    learner.export()
    assert learner.import_() == (0, 1)
    assert learner.cards()[learner.guids["wall"], 0].deck == other


# ---------------------------------------------------------------- leaving and coming back


def test_a_flashcard_that_returns_finds_its_note(learner: Learner) -> None:
    learner.learn(garden())
    cards, notes = learner.cards(), learner.notes()
    without = {"plants/seeds.md": SEEDS.replace(SPROUT, "")}
    for files in (without, without, garden()):
        learner.write(files)
        learner.export()
        assert learner.import_() == (0, 0)
        assert learner.cards() == cards
    assert learner.notes() == notes
    assert {note.guid for note in learner.plan.notes} == set(notes)


def test_a_flashcard_that_returns_reworded_into_its_place_is_updated(learner: Learner) -> None:
    learner.learn(garden())
    cards = learner.cards()
    learner.write(in_cells(LIGHT, "")(garden()))
    learner.export()
    learner.write(in_cells(LIGHT, LIGHT.replace("the sun", "the sun above"))(garden()))
    learner.export()
    learner.import_()
    assert {key: learner.cards()[key] for key in cards} == cards


def test_what_moves_by_way_of_the_clipboard_finds_its_note(learner: Learner) -> None:
    learner.learn(garden())
    cards = learner.cards()
    learner.write(in_cells(WALL + "\n\n", "")(garden()))
    learner.export()
    learner.write(moved(garden()))
    learner.export()
    assert learner.import_() == (0, 1)
    assert learner.cards() == cards
    assert "seeds" in learner.note("wall").fields["Source"]


@pytest.mark.parametrize("taken_out", [WALL, LIGHT, CLOZE])
def test_a_new_flashcard_never_gets_the_reviews_of_one_that_was_deleted(
    taken_out: str, learner: Learner
) -> None:
    learner.learn(garden())
    cards = learner.cards()
    learner.write(in_cells(taken_out, "")(garden()))
    learner.export()
    learner.import_()
    gone = [guid for guid in cards if Guid(guid[0]) not in {n.guid for n in learner.plan.notes}]
    learner.col.remove_notes([NoteId(cards[key].note) for key in gone])
    # As many cards in its place, in the same document and in one above all others.
    new = "What ==is== as ==new== as ==this==?"
    learner.write(in_cells(taken_out, new)(garden()) | {"a.md": CELLS.split("#")[0] + new + "!"})
    learner.export()
    assert learner.import_() == (2, 0)
    after = learner.cards()
    assert [len(after[key].reviews) for key in after if key not in cards] == [0] * 6
    assert {key: after[key] for key in cards if key not in gone} == {
        key: cards[key] for key in cards if key not in gone
    }


def test_what_two_computers_import_before_they_sync_is_there_once_with_its_reviews(
    tmp_path: Path,
) -> None:
    with (
        running(tmp_path) as server,
        device(tmp_path / "desk", server) as desk,
        device(tmp_path / "laptop", server) as laptop,
    ):
        first, second = Learner(tmp_path / "desk", desk.col), Learner(tmp_path, laptop.col)
        first.learn(garden())
        desk.sync()
        laptop.sync()
        both = garden() | {"z.md": SEEDS.replace("seed", "bean")}
        first.learn(both | {"plants/y.md": CELLS.replace("cell", "leaf")})
        second.write(both | {"a.md": SEEDS.replace("seed", "nut")})
        second.export()
        second.import_()
        cards = first.cards()
        for one in (desk, laptop, desk):
            one.sync()
        assert first.cards() == second.cards()
        assert {key: first.cards()[key] for key in cards} == cards
        # Five in leaves, and two each of nuts, of beans, of seeds, and in cells as many again.
        assert len(first.notes()) == 5 + 2 + 2 + 2 + 5


# ---------------------------------------------------------------- clozes


def test_a_new_deletion_never_gets_the_reviews_of_one_whose_card_was_deleted(
    learner: Learner,
) -> None:
    learner.learn(garden())
    without = CLOZE.replace("==nucleus==", "nucleus").replace("==genes==", "genes")
    learner.write(in_cells(CLOZE, without)(garden()))
    learner.export()
    learner.import_()
    learner.col.remove_cards_and_orphaned_notes(
        [CardId(learner.cards()[learner.guids["cloze"], ordinal].card) for ordinal in (0, 1)]
    )
    learner.write(in_cells(CLOZE, without.replace("all day", "==all day=="))(garden()))
    learner.export()
    learner.import_()
    assert learner.cards()[learner.guids["cloze"], 3].reviews == ()


def test_the_deletions_that_stay_keep_their_cards_and_answers(learner: Learner) -> None:
    learner.learn(garden())
    cards = learner.cards()
    learner.write(in_cells("==nucleus==", "nucleus")(garden()))
    learner.export()
    assert learner.import_() == (0, 1)
    assert learner.cards() == cards
    assert learner.note("cloze").fields["Text"] == (
        "The nucleus of a cell holds its {{c2::genes}} and lies in the {{c3::cytoplasm}} all day."
    )
    assert "holds its [...] and lies in the cytoplasm" in learner.asks("cloze", 1)
    assert "holds its genes and lies in the [...]" in learner.asks("cloze", 2)
    # A new deletion, then the first one back again: neither gets what another had.
    learner.write(in_cells("==nucleus==", "nucleus")(in_cells("all day", "==all== day")(garden())))
    learner.export()
    learner.import_()
    assert "cytoplasm [...] day" in learner.asks("cloze", 3)
    assert learner.cards()[learner.guids["cloze"], 3].reviews == ()
    learner.write(in_cells("all day", "==all== day")(garden()))
    learner.export()
    learner.import_()
    assert "The [...] of a cell" in learner.asks("cloze", 0)
    assert {key: learner.cards()[key] for key in cards} == cards
    assert complaints(learner.col) == ()


def test_a_basic_flashcard_that_becomes_a_cloze_is_a_new_note_and_told(learner: Learner) -> None:
    learner.learn(garden())
    cards, notes = learner.cards(), learner.notes()
    learner.write(in_cells(WALL, WALL.replace("outside", "==outside==").split("::")[0])(garden()))
    learner.export()
    assert "O803" in learner.codes
    assert learner.import_() == (1, 0)
    assert {key: learner.cards()[key] for key in cards} == cards
    assert {guid: learner.notes()[guid] for guid in notes} == notes
    learner.export()
    assert "O803" not in learner.codes


def test_a_cloze_that_becomes_basic_is_a_new_note_and_told(learner: Learner) -> None:
    learner.learn(garden())
    cards = learner.cards()
    learner.write(in_cells(CLOZE, CLOZE.replace("==", "") + "::Yes")(garden()))
    learner.export()
    assert "O803" in learner.codes
    assert learner.import_() == (1, 0)
    assert {key: learner.cards()[key] for key in cards} == cards


# ---------------------------------------------------------------- twins and names


@pytest.mark.parametrize("place", ["a first.md", "plants/a first.md", "z last.md"])
def test_an_exact_duplicate_never_takes_over(place: str, learner: Learner) -> None:
    learner.learn(garden())
    cards, notes = learner.cards(), learner.notes()
    learner.write(garden() | {place: CELLS})
    learner.export()
    assert learner.import_() == (len(IN_CELLS), 0)
    assert {key: learner.cards()[key] for key in cards} == cards
    assert {guid: learner.notes()[guid] for guid in notes} == notes
    # The copy goes, and the next one to come is known again.
    for files in (garden(), garden() | {place: CELLS}):
        learner.write(files)
        learner.export()
        assert learner.import_() == (0, 0)


def test_a_duplicate_above_in_the_same_document_never_takes_over(learner: Learner) -> None:
    learner.learn(garden())
    cards, notes = learner.cards(), learner.notes()
    learner.write(in_cells("# Cells\n", f"# Cells\n\n{WALL}\n")(garden()))
    learner.export()
    assert learner.import_() == (1, 0)
    assert {guid: learner.notes()[guid] for guid in notes} == notes
    assert {key: learner.cards()[key] for key in cards} == cards


def test_another_name_of_the_vaults_folder_changes_nothing(learner: Learner) -> None:
    learner.learn(garden())
    cards, notes = learner.cards(), learner.notes()
    learner.root = learner.root.rename(learner.root.with_name("another name"))
    learner.export()
    assert learner.import_() == (0, 0)
    assert (learner.cards(), learner.notes()) == (cards, notes)
    assert learner.plan.vault_name == "garden"
    learner.write(in_cells("drinks water", "drinks the water")(garden()))
    learner.export()
    assert learner.import_() == (0, 1)
    assert "vault=garden" in learner.note("root").fields["Source"]


def test_a_renamed_folder_is_announced_as_that(learner: Learner) -> None:
    learner.learn(garden())
    learner.write(renamed("plants/", "flora/")(garden()))
    learner.export()
    assert [(one.old, one.new, one.notes) for one in learner.plan.renamed] == [
        ("plants", "flora", 7)
    ]
    learner.export()
    assert learner.plan.renamed == ()


def test_several_sessions_of_edits_end_with_every_history(learner: Learner) -> None:
    learner.learn(garden())
    cards = learner.cards()
    files = garden()
    for kind in (
        *("a question is reworded", "a typo is mended", "the first cloze is removed"),
        *("a cloze is added", "one is new", "several lines become one", "a heading is put above"),
        *("reversed becomes basic", "the deck is another", "a document is renamed"),
        "a folder is renamed",
    ):
        files = EDITS[kind][0](files)
        learner.write(files)
        learner.export()
        learner.import_()
        assert {key: learner.cards()[key] for key in cards} == cards, kind
    learner.export()
    assert learner.import_() == (0, 0)
