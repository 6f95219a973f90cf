"""A lost ledger comes back from a package, or from Anki's collection."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from anki.collection import Collection

# isort: split
# The other modules of anki expect that one to be there first.
from anki.cards import CardId
from anki.decks import DeckId
from anki.notes import Note

from obs2anki import adoption, build, ledger
from obs2anki.adoption import Adoption, Edited, Evidence
from obs2anki.data import Entry, Guid
from obs2anki.destinations import collection_notes
from obs2anki.destinations.field_text import plain, read_cloze
from obs2anki.diagnostics import Obs2ankiError
from tests import anki_collection
from tests.commands import held, run, vault
from tests.packages import rows

Capture = pytest.CaptureFixture[str]

FIRST_DAY, SECOND_DAY, THIRD_DAY = 1_700_000_000, 1_700_086_400, 1_700_172_800

BIOLOGY = """\
---
tags: [flashcards]
---
# Cells

What holds a plant cell together;; The cell wall
What makes energy in a cell;; The mitochondrion
What reads the plan of a protein;; The ribosome

What does a nucleus hold?
?
The **DNA** of the cell

The ==sun== feeds the ==leaf== with ==light==

Membrane;;;The skin of a cell
"""
CHEMISTRY = """\
---
tags: [flashcards]
---
What is H~2~O;; Water & nothing <else>
What is gold's sign;; Au
![[atom.png]];; An atom
"""
HIGHLIGHTS = '[grammar]\ncloze_patterns = ["==[123;;]answer[;;hint]=="]\n'
DOCUMENTS: dict[str, str | bytes] = {
    "obs2anki.toml": HIGHLIGHTS,
    "Biology.md": BIOLOGY,
    "deep/Chemistry.md": CHEMISTRY,
    "atom.png": b"\x89PNG\r\n\x1a\n",
}


@pytest.fixture(autouse=True)
def _first_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(FIRST_DAY))


def day(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(seconds))


def school(folder: Path, documents: Mapping[str, str | bytes] = DOCUMENTS) -> Path:
    """A vault without the plugin's settings."""
    return vault(folder / "school", documents)


def export(root: Path, deck: Path) -> build.Outcome:
    return build.run(build.Request(root, deck), build.export)


def ledger_file(root: Path) -> Path:
    return root / ".obs2anki" / "ledger.jsonl"


def lose(root: Path) -> dict[Guid, Entry]:
    """The ledger's entries; it is gone afterwards."""
    known = entries(root)
    ledger_file(root).unlink()
    return known


def entries(root: Path) -> dict[Guid, Entry]:
    known = ledger.read(ledger_file(root))
    assert known is not None
    return {entry.guid: entry for entry in known.entries}


def adopt(root: Path, source: Path) -> Adoption:
    return adoption.adopt(build.Request(root), source)


def edit(root: Path, path: str, *changes: tuple[str, str]) -> None:
    text = (root / path).read_text("utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (root / path).write_text(text, "utf-8")


def guid_of(root: Path, question: str) -> Guid:
    (guid,) = (e.guid for e in entries(root).values() if e.question.startswith(question))
    return guid


def edited(adopted: Adoption) -> dict[str, Edited]:
    """Where each flashcard changed, but for those that did not."""
    return {
        one.planned.flashcard.shown[0].split("\n")[0].strip(): one.edited
        for one in adopted.adopted
        if one.edited is not Edited.NOWHERE
    }


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The folder of a new collection."""
    folder = tmp_path / "profile"
    folder.mkdir()
    return folder


def imported(profile: Path, deck: Path) -> Path:
    """The collection that a package was imported into."""
    with anki_collection.collection(profile) as col:
        anki_collection.bring(col, deck)
    return profile / "collection.anki2"


def in_anki(col: Collection, guid: Guid) -> Note:
    assert col.db is not None
    return col.get_note(col.db.scalar("select id from notes where guid = ?", guid))


# ---------------------------------------------------------------- from a package


def test_a_lost_ledger_comes_back_from_the_package_byte_by_byte(tmp_path: Path) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    before, package = ledger_file(root).read_bytes(), deck.read_bytes()
    lose(root)
    adopted = adopt(root, deck)
    assert {one.evidence for one in adopted.adopted} == {Evidence.FIELDS}
    assert (adopted.new, adopted.gone, adopted.others) == ((), (), 0)
    assert ledger_file(root).read_bytes() == before
    assert export(root, deck).verdict is build.Verdict.UNCHANGED
    assert (ledger_file(root).read_bytes(), deck.read_bytes()) == (before, package)


def test_what_changed_once_keeps_its_time_and_its_guid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    day(monkeypatch, SECOND_DAY)
    edit(root, "Biology.md", ("What makes energy in a cell", "What makes the energy of a cell"))
    export(root, deck)
    day(monkeypatch, THIRD_DAY)
    before = lose(root)
    adopt(root, deck)
    after = entries(root)
    assert {g: (e.mod, e.content, e.question) for g, e in after.items()} == {
        g: (e.mod, e.content, e.question) for g, e in before.items()
    }
    assert export(root, deck).verdict is build.Verdict.UNCHANGED


def test_reworded_flashcards_keep_their_guids_and_only_they_are_updated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    before = lose(root)
    edit(
        root,
        "Biology.md",
        ("What reads the plan of a protein", "What is it that reads the plan of a protein"),
        ("The cell wall", "A wall of cellulose"),
    )
    day(monkeypatch, SECOND_DAY)
    adopted = adopt(root, deck)
    by = {one.evidence: one.planned.flashcard.shown[0] for one in adopted.adopted}
    assert by[Evidence.GUID] == "What holds a plant cell together"
    assert by[Evidence.LIKENESS] == "What is it that reads the plan of a protein"
    assert set(edited(adopted).values()) == {Edited.VAULT}
    assert set(entries(root)) == set(before)
    outcome = export(root, deck)
    assert outcome.delivery is not None
    assert (outcome.delivery.changed, outcome.delivery.added, outcome.delivery.gone) == (2, 0, 0)
    changed = {guid for guid, entry in entries(root).items() if entry.mod == SECOND_DAY}
    assert changed == {guid_of(root, "What is it that"), guid_of(root, "What holds")}


def test_flashcards_that_moved_or_whose_document_was_renamed_keep_their_guids(
    tmp_path: Path,
) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    before = lose(root)
    (root / "deep" / "Chemistry.md").rename(root / "Elements.md")
    edit(root, "Elements.md", ("What is gold's sign", "What is gold's chemical sign"))
    adopted = adopt(root, deck)
    assert (adopted.new, adopted.gone) == ((), ())
    assert set(entries(root)) == set(before)


def test_cards_of_a_cloze_keep_their_ordinals(tmp_path: Path) -> None:
    """The first of three left, so the others are c2 and c3; then the ledger is lost."""
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    edit(root, "Biology.md", ("The ==sun== feeds", "The sun feeds"))
    export(root, deck)
    before = lose(root)
    adopt(root, deck)
    guid = guid_of(root, "The sun feeds")
    live = [o for o in before[guid].ordinals if not o.gone]
    assert [o.ordinal for o in live] == [1, 2]
    assert [o for o in entries(root)[guid].ordinals if not o.gone] == live
    assert export(root, deck).verdict is build.Verdict.UNCHANGED


def test_a_cloze_that_was_reworded_keeps_its_ordinals(tmp_path: Path) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    edit(root, "Biology.md", ("The ==sun== feeds", "The sun feeds"))
    export(root, deck)
    lose(root)
    edit(
        root,
        "Biology.md",
        ("feeds the ==leaf== with ==light==", "feeds the ==leaf== with its ==lights=="),
    )
    adopt(root, deck)
    export(root, deck)
    ((text,),) = rows(deck, "SELECT flds FROM notes WHERE flds LIKE '%{{c%'")
    assert "{{c2::leaf}}" in str(text).replace("<mark>", "").replace("</mark>", "")
    assert "{{c3::lights}}" in str(text).replace("<mark>", "").replace("</mark>", "")


def test_notes_without_a_flashcard_are_gone_and_new_flashcards_are_not_adopted(
    tmp_path: Path,
) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    lost = guid_of(root, "What is gold")
    lose(root)
    edit(root, "deep/Chemistry.md", ("What is gold's sign;; Au\n", ""))
    edit(root, "Biology.md", ("# Cells\n", "# Cells\n\nHow small is a virus;; 100 nm\n"))
    adopted = adopt(root, deck)
    assert [one.guid for one in adopted.gone] == [lost]
    assert [one.flashcard.shown[0] for one in adopted.new] == ["How small is a virus"]
    assert [guid for guid, entry in entries(root).items() if entry.gone] == [lost]
    assert all(e.question != "How small is a virus" for e in entries(root).values())
    # What comes back gets its note back.
    edit(root, "deep/Chemistry.md", ("What is H~2~O", "What is gold's sign;; Au\nWhat is H~2~O"))
    export(root, deck)
    assert guid_of(root, "What is gold") == lost


def test_twins_keep_their_guids(tmp_path: Path) -> None:
    twin = "---\ntags: [flashcards]\n---\nSame;; Same\n\nOther;; One\n\nSame;; Same\n"
    root, deck = school(tmp_path, {"a.md": twin, "b.md": twin}), tmp_path / "deck.apkg"
    export(root, deck)
    before = ledger_file(root).read_bytes()
    lose(root)
    adopt(root, deck)
    assert ledger_file(root).read_bytes() == before


def test_a_renamed_vault_keeps_its_name_in_links(tmp_path: Path) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    before = ledger_file(root).read_bytes()
    lose(root)
    root = root.rename(tmp_path / "university")
    adopt(root, deck)
    assert ledger_file(root).read_bytes() == before


def test_without_links_the_ledger_comes_back_all_the_same(tmp_path: Path) -> None:
    settings: dict[str, str | bytes] = {"obs2anki.toml": f"{HIGHLIGHTS}[cards]\nsource = false\n"}
    root, deck = school(tmp_path, DOCUMENTS | settings), tmp_path / "deck.apkg"
    export(root, deck)
    before = lose(root)
    edit(root, "Biology.md", ("What makes energy in a cell", "What makes the energy in a cell"))
    adopt(root, deck)
    assert set(entries(root)) == set(before)


def test_a_package_of_another_vault_is_refused(tmp_path: Path) -> None:
    export(school(tmp_path), tmp_path / "deck.apkg")
    other = vault(tmp_path / "other", {"a.md": "---\ntags: [flashcards]\n---\nA;; B\n"})
    before = held(other)
    with pytest.raises(Obs2ankiError, match="None of the 9 notes"):
        adopt(other, tmp_path / "deck.apkg")
    assert held(other) == before


def test_another_namespace_is_named(tmp_path: Path) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    vault(root, {"obs2anki.toml": f'namespace = "mine"\n{HIGHLIGHTS}'})
    export(root, deck)
    lose(root)
    vault(root, DOCUMENTS)
    with pytest.raises(Obs2ankiError, match='namespace = "mine"'):
        adopt(root, deck)
    assert not ledger_file(root).exists()


def test_a_ledger_that_is_in_use_is_not_replaced(tmp_path: Path) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    before = ledger_file(root).read_bytes()
    with pytest.raises(Obs2ankiError, match=r"knows 9 flashcards.*ledger\.jsonl\.old"):
        adopt(root, deck)
    assert ledger_file(root).read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"no package"])
def test_what_is_no_package_is_refused(content: bytes, tmp_path: Path) -> None:
    root, file = school(tmp_path), tmp_path / "deck.apkg"
    file.write_bytes(content)
    with pytest.raises(Obs2ankiError, match=r"deck\.apkg"):
        adopt(root, file)
    with pytest.raises(Obs2ankiError, match="cannot be read"):
        adopt(root, tmp_path / "nothing.apkg")
    assert not ledger_file(root).exists()


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"collection.anki2": b""},
        {"collection.anki2": b"SQLite format 3\0 and no more"},
        {"collection.anki21b": b"", "meta": b""},
        {"collection.anki21b": b"not zstd", "meta": b"\x08\x03"},
    ],
)
def test_a_damaged_package_is_refused(members: dict[str, bytes], tmp_path: Path) -> None:
    root, file = school(tmp_path), tmp_path / "deck.apkg"
    with zipfile.ZipFile(file, "w") as package:
        for name, content in members.items():
            package.writestr(name, content)
    with pytest.raises(Obs2ankiError, match=r"deck\.apkg"):
        adopt(root, file)
    assert not ledger_file(root).exists()


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE col SET models = '[]'",
        "UPDATE col SET decks = '{\"1\": 2}'",
        "UPDATE notes SET flds = 'only one'",
        "UPDATE notes SET mod = 'late'",
        "DELETE FROM col",
        "DROP TABLE cards",
    ],
)
def test_a_package_with_spoilt_rows_is_refused(spoil: str, tmp_path: Path) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    lose(root)
    with zipfile.ZipFile(deck) as package, closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(package.read("collection.anki2"))
        connection.execute(spoil)
        connection.commit()
        content = connection.serialize()
    with zipfile.ZipFile(deck, "w") as package:
        package.writestr("collection.anki2", content)
    with pytest.raises(Obs2ankiError, match=r"deck\.apkg"):
        adopt(root, deck)
    assert not ledger_file(root).exists()


def test_a_read_only_vault_takes_no_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    lose(root)
    monkeypatch.setattr(ledger, "is_writable", lambda file: False)
    with pytest.raises(Obs2ankiError, match="write-protected"):
        adopt(root, deck)


# ---------------------------------------------------------------- from Anki


def test_a_lost_ledger_comes_back_from_the_collection(tmp_path: Path, profile: Path) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    collection = imported(profile, deck)
    before = ledger_file(root).read_bytes()
    lose(root)
    there = held(profile)
    adopted = adopt(root, collection)
    assert {one.evidence for one in adopted.adopted} == {Evidence.FIELDS}
    assert ledger_file(root).read_bytes() == before
    assert held(profile) == there
    assert export(root, deck).verdict is build.Verdict.UNCHANGED


def test_what_was_edited_in_anki_only_stays_and_what_differs_is_updated(
    tmp_path: Path, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    collection = imported(profile, deck)
    mine, both = guid_of(root, "What is gold"), guid_of(root, "What makes energy")
    tagged, moved = guid_of(root, "Membrane"), guid_of(root, "What holds")
    reworded, cloze = guid_of(root, "What reads"), guid_of(root, "The sun feeds")
    with anki_collection.collection(profile) as col:
        for guid, name, text in (
            (mine, "Back", "<div>Au, of <i>aurum</i></div>"),
            (both, "Back", "Many mitochondria"),
            (cloze, "Text", "The {{c1::sun}} feeds each {{c2::leaf}} with {{c3::light}}"),
        ):
            note = in_anki(col, guid)
            note[name] = text
            col.update_note(note)
        note = in_anki(col, tagged)
        note.tags = [*note.tags, "marked"]
        col.update_note(note)
        col.set_deck([CardId(in_anki(col, moved).card_ids()[0])], DeckId(1))
        anki_collection.answer_good(col, reworded)
    lose(root)
    day(monkeypatch, 2_000_000_000)
    edit(
        root,
        "Biology.md",
        ("The mitochondrion", "The mitochondria"),
        ("What reads the plan of a protein", "What can read the plan of a protein"),
    )
    adopted = adopt(root, collection)
    assert edited(adopted) == {
        "What is gold's sign": Edited.ANKI,
        "Membrane": Edited.ANKI,
        "The ==sun== feeds the ==leaf== with ==light==": Edited.ANKI,
        "What makes energy in a cell": Edited.BOTH,
        "What can read the plan of a protein": Edited.VAULT,
    }
    export(root, deck)
    with anki_collection.collection(profile) as col:
        cards = {(card.guid, card.ordinal): card for card in anki_collection.cards(col)}
        log = anki_collection.bring(col, deck)
        assert (len(log.new), len(log.updated)) == (0, 2)
        after = {(card.guid, card.ordinal): card for card in anki_collection.cards(col)}
        assert after.keys() == cards.keys()
        assert in_anki(col, mine)["Back"] == "<div>Au, of <i>aurum</i></div>"
        assert in_anki(col, both)["Back"] == "The mitochondria"
        assert "marked" in in_anki(col, tagged).tags
        assert in_anki(col, reworded)["Front"] == "What can read the plan of a protein"
        assert after[reworded, 0].reps == cards[reworded, 0].reps == 1
        assert anki_collection.bring(col, deck).updated == []


def test_other_notes_of_the_collection_are_left_alone(tmp_path: Path, profile: Path) -> None:
    """Notes of another vault with the same namespace, a copy made in Anki, and Anki's own."""
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    other = vault(tmp_path / "music", {"a.md": "---\ntags: [flashcards]\n---\nDo;; Re\n"})
    export(root, deck)
    export(other, tmp_path / "music.apkg")
    imported(profile, deck)
    collection = imported(profile, tmp_path / "music.apkg")
    with anki_collection.collection(profile) as col:
        original = in_anki(col, guid_of(root, "What is gold"))
        copy = col.new_note(col.models.get(original.mid) or {})
        copy.fields = list(original.fields)
        col.add_note(copy, DeckId(1))
        basic = col.new_note(col.models.by_name("Basic") or {})
        basic["Front"] = "What is gold's sign"
        col.add_note(basic, DeckId(1))
    before = ledger_file(root).read_bytes()
    lose(root)
    adopted = adopt(root, collection)
    assert (adopted.gone, adopted.others) == ((), 2)
    assert ledger_file(root).read_bytes() == before


def test_freed_ordinals_whose_cards_are_in_anki_are_not_given_again(
    tmp_path: Path, profile: Path
) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    imported(profile, deck)
    edit(root, "Biology.md", ("with ==light==", "with light"))
    export(root, deck)
    collection = imported(profile, deck)
    lose(root)
    adopt(root, collection)
    edit(root, "Biology.md", ("The ==sun== feeds", "The ==sun== ==feeds=="))
    export(root, deck)
    (entry,) = (e for e in entries(root).values() if e.type == "cloze")
    assert [o.ordinal for o in entry.ordinals if not o.gone] == [0, 3, 1]


@pytest.mark.parametrize("legacy", [True, False])
def test_a_package_that_anki_exported_is_as_good(
    legacy: bool, tmp_path: Path, profile: Path
) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    imported(profile, deck)
    exported = tmp_path / "exported.apkg"
    with anki_collection.collection(profile) as col:
        anki_collection.export(col, exported, "flashcards", legacy=legacy)
    before = ledger_file(root).read_bytes()
    lose(root)
    adopt(root, exported)
    assert ledger_file(root).read_bytes() == before


def test_a_backup_of_anki_is_as_good(tmp_path: Path, profile: Path) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    imported(profile, deck)
    with anki_collection.collection(profile) as col:
        col.export_collection_package(str(tmp_path / "backup.colpkg"), True, False)
        col.reopen()
    before = ledger_file(root).read_bytes()
    lose(root)
    adopt(root, tmp_path / "backup.colpkg")
    assert ledger_file(root).read_bytes() == before


@pytest.fixture
def held_open(tmp_path: Path, profile: Path) -> Iterator[Path]:
    """A collection that another process has open, as Anki does."""
    code = (
        "import sys; from anki.collection import Collection; c = Collection(sys.argv[1]); "
        "print('open', flush=True); sys.stdin.read(); c.close()"
    )
    path = profile / "collection.anki2"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "open\n"
        yield path
        process.stdin.close()


def test_a_collection_that_is_open_in_anki_is_refused(held_open: Path, tmp_path: Path) -> None:
    root = school(tmp_path)
    there = set(held(held_open.parent))
    with pytest.raises(Obs2ankiError, match=r"open in Anki\. Close Anki"):
        adopt(root, held_open)
    assert set(held(held_open.parent)) == there


def test_a_collection_that_anki_did_not_close_is_read_with_its_journal(
    tmp_path: Path, profile: Path
) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    code = (
        "import os, sys; from pathlib import Path; from tests import anki_collection as a\n"
        "with a.collection(Path(sys.argv[1])) as col:\n"
        "    a.bring(col, Path(sys.argv[2])); os._exit(0)"
    )
    place = Path(__file__).parent.parent
    subprocess.run([sys.executable, "-c", code, str(profile), str(deck)], check=True, cwd=place)
    there = held(profile)
    assert there["collection.anki2-wal"]
    before = ledger_file(root).read_bytes()
    lose(root)
    adopt(root, profile)
    assert ledger_file(root).read_bytes() == before
    assert held(profile) == there


def test_a_collection_of_a_newer_anki_is_refused(tmp_path: Path, profile: Path) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    collection = imported(profile, deck)
    with anki_collection.collection(profile) as col:
        assert col.db is not None
        col.db.execute("update col set ver = 99")
    lose(root)
    with pytest.raises(Obs2ankiError, match=r"newer Anki.*--upgrade anki"):
        adopt(root, collection)


def test_without_the_engine_it_is_said_how_to_get_it(
    tmp_path: Path, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    collection = imported(profile, deck)
    exported = tmp_path / "exported.apkg"
    with anki_collection.collection(profile) as col:
        anki_collection.export(col, exported, "flashcards", legacy=False)
    before = ledger_file(root).read_bytes()
    lose(root)
    monkeypatch.setattr(collection_notes, "has_engine", lambda: False)
    for source in (collection, exported):
        with pytest.raises(Obs2ankiError, match=r"pip install 'obs2anki\[anki\]'"):
            adopt(root, source)
    adopt(root, deck)  # its own packages need nothing
    assert ledger_file(root).read_bytes() == before


# ---------------------------------------------------------------- the words of a field


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("Water", "Water"),
        ("H<sub>2</sub>O &amp; <b>ice</b>", "H2O & ice"),
        ("<p>one</p><p>two</p>", "one two"),
        ('see <img class="x" src="cat-1.png" width="3">', "see cat-1.png"),
        ("a < b", "a < b"),
        ("<" * 50_000, "<" * 50_000),
        ('<img src="' * 20_000, '<img src="' * 20_000),
    ],
)
def test_words_of_a_field(field: str, words: str) -> None:
    assert plain(field) == words


def test_deletions_of_a_field() -> None:
    found = read_cloze("a {{c2::<b>x</b> {{c1::y::hint :: z}}}} and {{c1,3::w}} }}")
    assert found.asked() == {1: "y / w", 2: "x y", 3: "w"}
    assert found.solved == "a x y and w }}"
    assert found.frame == "a {{c::<b>x</b> {{c::y::hint :: z}}}} and {{c::w}} }}"
    assert found.places() == {2: (0,), 1: (1, 2), 3: (2,)}


@pytest.mark.parametrize("text", ["{{c1::" * 50_000, "}}" * 50_000, "::" * 50_000])
def test_marks_that_do_not_pair_are_text(text: str) -> None:
    assert "".join(read_cloze(text).frame).count("::") == text.count("::")


# ---------------------------------------------------------------- the command


SAID = """\
8 flashcards known again from deck.apkg.
  7  with the same fields
  1  reworded
1 flashcard changed in the vault since: the next import updates Anki.

Reworded, so have a look whether these are the same:
Place                 Question in the vault                Question in Anki
school/Biology.md:10  What can read the plan of a protein  What reads the plan of a protein

1 flashcard without a note; the next export adds:
Place                Deck        Question
school/Biology.md:6  flashcards  How small is a virus

1 note without a flashcard; to find them in Anki: obs2anki list school --gone
Stood in                  Deck        Question
school/deep/Chemistry.md  flashcards  What is gold's sign

The ledger is school/.obs2anki/ledger.jsonl.
"""


def test_adopt_says_what_it_matched_and_what_it_could_not(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    lose(root)
    edit(root, "deep/Chemistry.md", ("What is gold's sign;; Au\n", ""))
    edit(
        root,
        "Biology.md",
        ("# Cells\n", "# Cells\n\nHow small is a virus;; 100 nm\n"),
        ("What reads the plan of a protein", "What can read the plan of a protein"),
    )
    monkeypatch.chdir(tmp_path)
    done = run(["adopt", "school", "deck.apkg"], capsys)
    assert (done.code, done.err) == (0, "")
    assert done.out == SAID
    again = run(["adopt", "school", "deck.apkg"], capsys)
    assert (again.code, again.out) == (2, "")
    assert "There is a ledger already: school/.obs2anki/ledger.jsonl" in again.err


def test_adopt_names_the_vault_as_a_shell_takes_it(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    lose(root)
    edit(root, "deep/Chemistry.md", ("What is gold's sign;; Au\n", ""))
    root.rename(tmp_path / "my school")
    monkeypatch.chdir(tmp_path)
    done = run(["adopt", "my school", "deck.apkg"], capsys)
    assert "to find them in Anki: obs2anki list 'my school' --gone\n" in done.out


def test_adopt_says_the_same_as_json(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, deck = school(tmp_path), tmp_path / "deck.apkg"
    export(root, deck)
    gold = guid_of(root, "What is gold")
    lose(root)
    edit(root, "deep/Chemistry.md", ("What is gold's sign;; Au", "What is rust;; An oxide"))
    monkeypatch.chdir(tmp_path)
    done = run(["adopt", "school", "deck.apkg", "--format", "json"], capsys)
    assert (done.code, done.err) == (0, "")
    said = json.loads(done.out)
    assert (said["version"], said["vault"], said["source"]) == (1, "school", "deck.apkg")
    assert said["ledger"] == str(Path("school/.obs2anki/ledger.jsonl"))
    assert len(said["adopted"]) == 8
    assert said["adopted"][0] == {
        "path": "Biology.md",
        "line": 6,
        "deck": "flashcards",
        "question": "What holds a plant cell together",
        "guid": guid_of(root, "What holds"),
        "by": "fields",
        "edited": "nowhere",
    }
    assert [one["question"] for one in said["new"]] == ["What is rust"]
    assert [one["guid"] for one in said["gone"]] == [gold]
    assert (said["others"], said["diagnostics"]) == (0, [])
