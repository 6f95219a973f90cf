"""Anki's own collection follows the vault: each scenario against Anki's engine.

In every one of them the review log and each card's state are compared, before and after.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest
from anki.collection import Collection

# isort: split
# The other modules of anki expect that one to be there first.
from anki.cards import CardId
from anki.decks import DeckId, FilteredDeckConfig
from anki.errors import BackendError, DBError
from anki.models import NotetypeId

from obs2anki import adoption, build, ledger, syncing, vault
from obs2anki.build import Request
from obs2anki.data import Media
from obs2anki.deeds import ORPHAN_TAG, Prefer, Verb
from obs2anki.destinations import collection as destination
from obs2anki.destinations import collection_notes, open_collection, profiles
from obs2anki.destinations.open_collection import OpenCollection
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.reconcile import Wishes
from obs2anki.syncing import Ending, Terms
from obs2anki.wording import Wording
from tests import anki_collection, synced
from tests.anki_collection import answer_again, answer_good, bring
from tests.commands import PLUGIN, child, ended, run
from tests.synced import FIRST, REVIEWED, Both, card, deck, done, fronts, guid, note, rename

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return synced.both(tmp_path)


@pytest.fixture
def studied(both: Both) -> Both:
    """A vault that was synced, and an Anki in which two cards were answered since."""
    both.write(FIRST)
    both.sync()
    with both.anki() as col:
        synced.study(col)
    return both


@pytest.fixture(autouse=True)
def reviews_stay(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a scenario does: Anki finds no fault, and no review is lost or invented."""
    if "both" not in request.fixturenames and "studied" not in request.fixturenames:
        yield
        return
    if "resting" in request.fixturenames:
        request.getfixturevalue("resting")
    one = request.getfixturevalue("studied" if "studied" in request.fixturenames else "both")
    before = one.standing()
    yield
    after = one.standing()
    assert set(before.reviews) <= set(after.reviews)
    assert one.complaints() == ()
    assert not [left for left in one.profile.iterdir() if left.name.startswith(".obs2anki")]


def same_but(
    both: Both, before: synced.Standing, *, queue: bool = False, deck: bool = False
) -> None:
    """Every card is as it was, but for its queue or its deck; the review log is the same."""
    left_out = {index for index, out in ((1, queue), (10, deck)) if out}
    after = both.standing()
    assert after.reviews == before.reviews
    for number, row in before.cards.items():
        kept = [v for i, v in enumerate(row) if i not in left_out]
        assert [v for i, v in enumerate(after.cards[number]) if i not in left_out] == kept


POINTS = ("before", "between", "after")
"""Whether a sync is killed before Anki is written, after that is announced, or after it."""


class Killed(BaseException):
    """The process ends here."""


def killed(both: Both, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that is killed at a point."""
    announce = build.announce

    def kill(round_: build.Round, *_: object) -> bool:
        if point == "between":
            announce(round_)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(build, "remember" if point == "after" else "announce", kill)
        with pytest.raises(Killed):
            both.sync()


# ---------------------------------------------------------------- first meeting


def test_a_first_sync_brings_what_an_import_would(both: Both, tmp_path: Path) -> None:
    both.write(FIRST)
    other = tmp_path / "other"
    other.mkdir()
    build.run(Request(both.vault, tmp_path / "deck.apkg"), build.export)
    with anki_collection.collection(other) as col:
        bring(col, tmp_path / "deck.apkg")
        wanted = anki_collection.cards(col)
    assert done(both.sync()) == {Verb.ADD: 3}
    with both.anki() as col:
        assert anki_collection.cards(col) == wanted


def test_a_second_sync_does_not_touch_the_collection(studied: Both) -> None:
    before = studied.collection.read_bytes(), studied.collection.stat().st_mtime_ns
    backups = sorted((studied.profile / "backups").iterdir())
    result = studied.sync()
    assert (result.ending, done(result)) == (Ending.UNCHANGED, {Verb.UNCHANGED: 3})
    assert (studied.collection.read_bytes(), studied.collection.stat().st_mtime_ns) == before
    assert sorted((studied.profile / "backups").iterdir()) == backups


def test_what_was_imported_before_is_known_again(both: Both, tmp_path: Path) -> None:
    both.write(FIRST)
    build.run(Request(both.vault, tmp_path / "deck.apkg"), build.export)
    with both.anki() as col:
        bring(col, tmp_path / "deck.apkg")
    before = both.collection.read_bytes()
    assert done(both.sync()) == {Verb.UNCHANGED: 3}
    assert both.collection.read_bytes() == before


def test_export_and_sync_can_be_mixed(studied: Both, tmp_path: Path) -> None:
    before = studied.standing()
    studied.write({"a.md": FIRST["a.md"].replace("one", "two")})
    build.run(Request(studied.vault, tmp_path / "deck.apkg"), build.export)
    assert done(studied.sync())[Verb.UPDATE] == 1
    with studied.anki() as col:
        bring(col, tmp_path / "deck.apkg")
        assert fronts(col) == ["What makes ATP?", "hus", "new"]
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}
    same_but(studied, before)


def test_a_computer_without_the_ledger_doubles_nothing(studied: Both) -> None:
    before = studied.collection.read_bytes()
    (studied.vault / ".obs2anki/ledger.jsonl").unlink()
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}
    assert studied.collection.read_bytes() == before


def test_notes_that_a_lost_ledger_knew_are_left_alone_and_told(studied: Both) -> None:
    (studied.vault / ".obs2anki/ledger.jsonl").unlink()
    studied.write({"a.md": "hus;;;house"})
    result = studied.sync()
    assert done(result) == {Verb.UNCHANGED: 1}
    assert result.strangers == 2
    assert syncing.forgotten(result, "my vault") == (
        "2 notes in Anki may be this vault's, but there was no ledger to tell: a flashcard that "
        "was reworded would be a new note. If the ledger was lost, move the new one away, and "
        "bring it back (from git or a backup) or rebuild it:\n"
        "  obs2anki adopt 'my vault' path/to/collection.anki2"
    )
    assert syncing.forgotten(studied.sync(), "my vault") == ""


REWORDED = {"a.md": FIRST["a.md"].replace("What makes ATP?", "What makes the ATP?")}


def test_a_lost_ledger_is_told_before_a_reworded_flashcard_is_doubled(studied: Both) -> None:
    before = studied.standing()
    (studied.vault / ".obs2anki/ledger.jsonl").unlink()
    studied.write(REWORDED)
    assert "before you sync, or rebuild it:" in syncing.forgotten(studied.sync(dry_run=True), ".")
    adoption.adopt(Request(studied.vault), studied.collection)
    assert done(studied.sync()) == {Verb.UPDATE: 1, Verb.UNCHANGED: 2}
    same_but(studied, before)


def test_what_a_sync_without_the_lost_ledger_has_doubled_can_be_mended_as_it_says(
    studied: Both,
) -> None:
    before = studied.standing()
    (studied.vault / ".obs2anki/ledger.jsonl").unlink()
    studied.write(REWORDED)
    result = studied.sync()
    assert done(result) == {Verb.ADD: 1, Verb.UNCHANGED: 2}
    assert (
        "is a new note now. If the ledger was lost, delete in Anki what this sync has added, "
        "move the new one away, and bring it back (from git or a backup) or rebuild it:"
    ) in syncing.forgotten(result, ".")
    with studied.anki() as col:
        col.remove_notes([note(col, "What makes the ATP?").id])
    (studied.vault / ".obs2anki/ledger.jsonl").rename(studied.vault / "ledger.jsonl.old")
    adoption.adopt(Request(studied.vault), studied.collection)
    assert done(studied.sync()) == {Verb.UPDATE: 1, Verb.UNCHANGED: 2}
    same_but(studied, before)


def test_a_dry_run_writes_nothing(both: Both) -> None:
    both.write(FIRST)
    before = both.collection.read_bytes()
    result = both.sync(dry_run=True)
    assert (result.ending, done(result)) == (Ending.PREVIEWED, {Verb.ADD: 3})
    assert both.collection.read_bytes() == before
    assert ledger.read(both.vault / ".obs2anki/ledger.jsonl") is None


def test_an_empty_vault_leaves_anki_alone(studied: Both) -> None:
    before = studied.collection.read_bytes()
    studied.write({})
    assert studied.sync().ending is Ending.EMPTY
    assert studied.collection.read_bytes() == before


def test_reschedule_mends_an_import_without_learning_progress(both: Both, tmp_path: Path) -> None:
    both.write({"a.md": f"a;;b\n{REVIEWED}\n\nc;;d\n{REVIEWED}"})
    build.run(Request(both.vault, tmp_path / "deck.apkg"), build.export)
    with both.anki() as col:
        bring(col, tmp_path / "deck.apkg", scheduling=False)
        answer_good(col, guid(col, "c"))
    before = both.standing()
    assert done(both.sync()) == {Verb.UNCHANGED: 2}
    assert done(both.sync(Wishes(reschedule=True))) == {Verb.RESCHEDULE: 1, Verb.UNCHANGED: 1}
    with both.anki() as col:
        seen = anki_collection.card(col, guid(col, "a"))
        assert (seen.due, seen.interval, seen.factor) == ("2030-04-25", 14, 2900)
        assert seen.memory == (14.0, anki_collection.card(col, guid(col, "a")).memory[1])  # type: ignore[index]  # it has one
        number = card(col, "c").id
    assert both.standing().cards[number] == before.cards[number]
    assert done(both.sync(Wishes(reschedule=True))) == {Verb.UNCHANGED: 2}


@pytest.mark.parametrize("state", [1, 2, 3])
def test_reschedule_leaves_alone_what_came_with_its_scheduling(both: Both, state: int) -> None:
    review = f"!fsrs,2030-05-20T10:00:00.000Z,0,3.1262,5.31,{state},4,1,0,2024-05-17T10:00:00.000Z"
    both.write({"a.md": f"a;;b\n<!--SR:{review}-->"})
    both.sync()
    before = both.collection.read_bytes()
    assert done(both.sync(Wishes(reschedule=True))) == {Verb.UNCHANGED: 1}
    assert both.collection.read_bytes() == before


# ---------------------------------------------------------------- edits


def test_a_reworded_flashcard_keeps_its_card_when_its_review_was_deleted_before(both: Both) -> None:
    asked = "Which part of a cell makes its energy?;;The mitochondria"
    other = {"b.md": f"hus;;house\n{REVIEWED}"}
    both.write({"a.md": f"{asked}\n{REVIEWED}"} | other)
    both.sync()
    both.write({"a.md": asked} | other)
    assert done(both.sync()) == {Verb.UNCHANGED: 2}
    both.write({"a.md": asked.replace("makes", "provides")} | other)
    assert done(both.sync()) == {Verb.UPDATE: 1, Verb.UNCHANGED: 1}


def test_a_reworded_flashcard_keeps_its_card(studied: Both) -> None:
    before = studied.standing()
    studied.write({"a.md": FIRST["a.md"].replace("What makes ATP?", "What makes all the ATP?")})
    assert done(studied.sync()) == {Verb.UPDATE: 1, Verb.UNCHANGED: 2}
    with studied.anki() as col:
        assert fronts(col) == ["What makes all the ATP?", "hus", "new"]
    same_but(studied, before)


def test_a_document_that_was_renamed_keeps_its_cards(studied: Both) -> None:
    before = studied.standing()
    with studied.anki() as col:
        guids = {front: guid(col, front) for front in fronts(col)}
    studied.write({"b/c.md": FIRST["a.md"]})
    studied.sync()
    with studied.anki() as col:
        assert {front: guid(col, front) for front in fronts(col)} == guids
        assert note(col, "new")["Source"].endswith(">b/c</a>")
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}
    same_but(studied, before)


def test_a_note_that_was_deleted_in_anki_begins_anew(studied: Both) -> None:
    with studied.anki() as col:
        col.remove_notes([note(col, "hus").id])
    assert done(studied.sync()) == {Verb.ADD: 1, Verb.UNCHANGED: 2}
    with studied.anki() as col:
        assert col.db is not None
        assert [c.type for c in note(col, "hus").cards()] == [0, 0]
        for one in note(col, "hus").cards():
            assert col.db.scalar("select count(*) from revlog where cid = ?", one.id) == 0


def test_what_is_the_users_stays(studied: Both) -> None:
    with studied.anki() as col:
        one = note(col, "new")
        one["Notes"], one["Spare 1"] = "mine", "mine"
        one.tags += ["own", "leech"]
        col.update_note(one)
        col.set_user_flag_for_cards(3, [card(col, "new").id])
        col.sched.suspend_cards([card(col, "new").id])
        notetype = one.note_type()
        assert notetype is not None
        notetype["css"] += "\n/* mine */"
        col.models.update_dict(notetype)
    before = studied.standing()
    studied.write({"a.md": FIRST["a.md"].replace("one", "two")})
    assert done(studied.sync()) == {Verb.UPDATE: 1, Verb.UNCHANGED: 2}
    with studied.anki() as col:
        one = note(col, "new")
        assert (one["Back"], one["Notes"], one["Spare 1"]) == ("two", "mine", "mine")
        assert sorted(one.tags) == ["learning", "leech", "own"]
        notetype = one.note_type()
        assert notetype is not None
        assert notetype["css"].endswith("/* mine */")
    same_but(studied, before)


def test_fields_that_the_user_added_stay_and_new_notes_have_them(studied: Both) -> None:
    with studied.anki() as col:
        notetype = col.models.by_name("obs2anki")
        assert notetype is not None
        field = col.models.new_field("Mnemonic")
        col.models.add_field(notetype, field)
        col.models.reposition_field(notetype, field, 1)
        spare = next(f for f in notetype["flds"] if f["name"] == "Spare 2")
        col.models.remove_field(notetype, spare)
        col.models.update_dict(notetype)
        one = note(col, "new")
        one["Mnemonic"] = "mine"
        col.update_note(one)
        assert col.db is not None
        schema = col.db.scalar("select scm from col")
    text = FIRST["a.md"].replace("new;;one", "new;;;one") + "\n\nmore;;text"
    studied.write({"a.md": text})
    assert done(studied.sync()) == {Verb.ADD: 1, Verb.UPDATE: 1, Verb.UNCHANGED: 2}
    with studied.anki() as col:
        one = note(col, "new")
        assert (one["Mnemonic"], one["Reverse"], len(one.cards())) == ("mine", "1", 2)
        more = note(col, "more")
        assert (more["Back"], more["Mnemonic"]) == ("text", "")
        assert [n.name for n in col.models.all_names_and_ids() if "obs2" in n.name] == ["obs2anki"]
        assert col.db is not None
        assert col.db.scalar("select scm from col") == schema
    assert done(studied.sync()) == {Verb.UNCHANGED: 4}


def test_a_template_that_the_user_added_gets_its_cards(studied: Both) -> None:
    with studied.anki() as col:
        notetype = col.models.by_name("obs2anki")
        assert notetype is not None
        template = col.models.new_template("Mine")
        template["qfmt"], template["afmt"] = "Spell: {{Back}}", "{{Front}}"
        col.models.add_template(notetype, template)
        col.models.update_dict(notetype)
    studied.write({"a.md": FIRST["a.md"] + "\n\nmore;;text"})
    assert done(studied.sync()) == {Verb.ADD: 1, Verb.UNCHANGED: 3}
    with studied.anki() as col:
        assert [c.ord for c in note(col, "more").cards()] == [0, 2]
    assert done(studied.sync()) == {Verb.UNCHANGED: 4}


def add_template(col: Collection, name: str, place: int, question: str = "Spell: {{Back}}") -> None:
    """Add a template of the user's own to our notetype, at a place among the others."""
    notetype = col.models.by_name("obs2anki")
    assert notetype is not None
    template = col.models.new_template(name)
    template["qfmt"], template["afmt"] = question, "{{Front}}"
    col.models.add_template(notetype, template)
    col.models.reposition_template(notetype, template, place)
    col.models.update_dict(notetype)


def remove_template(col: Collection, place: int) -> None:
    """Remove one of our own templates, with its cards."""
    notetype = col.models.by_name("obs2anki")
    assert notetype is not None
    col.models.remove_template(notetype, notetype["tmpls"][place])
    col.models.update_dict(notetype)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_templates_of_the_users_own_may_stand_anywhere(studied: Both, place: int) -> None:
    with studied.anki() as col:
        add_template(col, "Mine", place)
        col.sched.suspend_cards([card(col, "new", place).id])
        ours = [number for number in range(3) if number != place]
    before = studied.standing()
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}
    studied.write({"a.md": FIRST["a.md"].replace(";;;", ";;")})
    assert done(studied.sync()) == {Verb.UPDATE: 1, Verb.SUSPEND: 1, Verb.UNCHANGED: 2}
    with studied.anki() as col:
        assert [c.ord for c in note(col, "hus").cards() if c.queue == -1] == [ours[1]]
    same_but(studied, before, queue=True)
    two = "<!--SR:!2030-04-25,14,290!2030-06-01,20,210-->"
    studied.write({"a.md": FIRST["a.md"].replace("ATP?;;", "ATP?;;;").replace(REVIEWED, two)})
    assert done(studied.sync()) == {Verb.UPDATE: 2, Verb.WAKE: 1, Verb.UNCHANGED: 1}
    same_but(studied, before)
    with studied.anki() as col:
        assert [c.ord for c in note(col, "What makes ATP?").cards()] == [0, 1, 2]
        seen = anki_collection.card(col, guid(col, "What makes ATP?"), ours[1])
        assert (seen.due, seen.interval) == ("2030-06-01", 20)
    last = {"a.md": FIRST["a.md"].replace("ATP?;;", "ATP?;;;") + f"\n\nmore;;;text\n{two}"}
    studied.write(last)
    studied.sync()
    with studied.anki() as col:
        assert [c.ord for c in note(col, "more").cards()] == [0, 1, 2]
        intervals = [card(col, "more", number).ivl for number in (*ours, place)]
        assert intervals == [14, 20, 0]
    assert done(studied.sync()) == {Verb.UNCHANGED: 4}
    studied.write({"a.md": "new;;one"})
    studied.sync()
    studied.write(last)
    studied.sync()
    with studied.anki() as col:
        assert [c.ord for c in note(col, "new").cards() if c.queue == -1] == [place]
        assert not any(c.queue == -1 for c in note(col, "hus").cards())


@pytest.mark.parametrize("own", [False, True])
def test_a_template_of_ours_that_the_user_removed_stays_away(studied: Both, own: bool) -> None:
    with studied.anki() as col:
        remove_template(col, 1)
        if own:
            add_template(col, "Card 2", 1)
    before = studied.standing()
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}
    studied.write({"a.md": FIRST["a.md"].replace("house", "home") + "\n\nmore;;;text"})
    assert done(studied.sync()) == {Verb.ADD: 1, Verb.UPDATE: 1, Verb.UNCHANGED: 2}
    with studied.anki() as col:
        for front in ("hus", "more"):
            assert [c.ord for c in note(col, front).cards()] == ([0, 1] if own else [0])
    assert done(studied.sync()) == {Verb.UNCHANGED: 4}
    studied.write({"a.md": FIRST["a.md"].replace(";;;", ";;")})
    assert Verb.SUSPEND in done(studied.sync())  # of what has left
    with studied.anki() as col:
        assert not any(c.queue == -1 for c in note(col, "hus").cards())
    same_but(studied, before)


def test_a_template_of_ours_that_the_user_made_ask_always_is_the_users(studied: Both) -> None:
    with studied.anki() as col:
        notetype = col.models.by_name("obs2anki")
        assert notetype is not None
        notetype["tmpls"][1]["qfmt"] = "{{Back}}"
        col.models.update_dict(notetype)
        assert len(note(col, "new").cards()) == 2
    before = studied.standing()
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}
    studied.write({"a.md": FIRST["a.md"].replace(";;;", ";;")})
    assert done(studied.sync()) == {Verb.UPDATE: 1, Verb.UNCHANGED: 2}
    same_but(studied, before)


def last_line(result: syncing.Synced) -> str:
    """The last of what people are told."""
    return list(syncing.text(result, Wording("vault/", "vault")))[-1]


@pytest.mark.parametrize(
    ("prefer", "kept"), [(None, "mine"), (Prefer.ANKI, "mine"), (Prefer.VAULT, "two")]
)
def test_where_both_sides_were_edited_nothing_is_lost_unasked(
    studied: Both, prefer: Prefer | None, kept: str
) -> None:
    with studied.anki() as col:
        one = note(col, "new")
        one["Back"] = "mine"
        col.update_note(one)
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}
    before = studied.standing()
    studied.write({"a.md": FIRST["a.md"].replace("one", "two")})
    result = studied.sync()
    assert done(result) == {Verb.CONFLICT: 1, Verb.UNCHANGED: 2}
    assert result.ending is Ending.UNCHANGED
    assert [d.code for d in result.diagnostics] == ["O901"]
    assert last_line(result) == "Anki was left as it is: 1 in conflict, 2 unchanged."
    assert syncing.line(result, (), 0.5, first=True) == "Anki is left as it is (0.50 s)"
    settled = studied.sync(Wishes(prefer))
    assert (settled.ending is Ending.WRITTEN) is (prefer is not None)
    with studied.anki() as col:
        assert note(col, "new")["Back"] == kept
    again = {Verb.UNCHANGED: 3} if prefer else {Verb.CONFLICT: 1, Verb.UNCHANGED: 2}
    assert done(studied.sync()) == again
    same_but(studied, before)


def test_a_note_whose_notetype_was_changed_and_changed_back_can_be_taken_over(
    studied: Both,
) -> None:
    before = studied.standing()
    with studied.anki() as col:
        change_notetype(col, "What makes ATP?", "Basic")
    left = studied.sync()
    assert [d.code for d in left.diagnostics] == ["O902"]
    assert last_line(left) == "Anki was left as it is: 2 unchanged, 1 left alone."
    with studied.anki() as col:
        change_notetype(col, "What makes ATP?", "obs2anki")
        one = note(col, "What makes ATP?")
        one["Vault"] = "obs2anki"
        col.update_note(one)
    assert done(studied.sync(Wishes(Prefer.VAULT))) == {Verb.UPDATE: 1, Verb.UNCHANGED: 2}
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}
    same_but(studied, before)


def change_notetype(col: Collection, front: str, name: str) -> None:
    """What Anki's Change Notetype does, with fields matched by their names."""
    one, wanted = note(col, front), col.models.by_name(name)
    assert wanted is not None
    info = col.models.change_notetype_info(
        old_notetype_id=one.mid, new_notetype_id=NotetypeId(wanted["id"])
    )
    info.input.note_ids.append(one.id)
    col.models.change_notetype_of_notes(info.input)


def test_an_earlier_namespace_that_is_set_again_finds_its_notes(studied: Both) -> None:
    toml = studied.vault / "obs2anki.toml"
    toml.write_text('namespace = "another"\n', "utf-8")
    assert {d.code for d in studied.sync().diagnostics} == {"O902"}
    toml.write_text('namespace = "obs2anki"\n', "utf-8")
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}


def test_a_sibling_comes_with_its_scheduling(studied: Both) -> None:
    before = studied.standing()
    text = (
        FIRST["a.md"]
        .replace("ATP?;;", "ATP?;;;")
        .replace(REVIEWED, "<!--SR:!2030-04-25,14,290!2030-06-01,20,210-->")
    )
    studied.write({"a.md": text})
    assert done(studied.sync()) == {Verb.UPDATE: 1, Verb.UNCHANGED: 2}
    with studied.anki() as col:
        seen = anki_collection.card(col, guid(col, "What makes ATP?"), 1)
        assert (seen.due, seen.interval, seen.factor) == ("2030-06-01", 20, 2100)
    same_but(studied, before)


def test_a_direction_that_was_taken_out_sleeps_until_it_is_back(studied: Both) -> None:
    before = studied.standing()
    studied.write({"a.md": FIRST["a.md"].replace(";;;", ";;")})
    assert Verb.SUSPEND in done(studied.sync())
    with studied.anki() as col:
        assert [c.queue for c in note(col, "hus").cards()] == [0, -1]
    same_but(studied, before, queue=True)
    studied.write(FIRST)
    assert Verb.WAKE in done(studied.sync())
    same_but(studied, before)


def test_tags_of_the_vault_are_followed_and_the_users_stay(studied: Both) -> None:
    studied.write({"a.md": FIRST["a.md"] + "\n\ntagged;;x #old"})
    studied.sync()
    with studied.anki() as col:
        one = note(col, "tagged")
        one.tags += ["own", "marked"]
        col.update_note(one)
    studied.write({"a.md": FIRST["a.md"] + "\n\ntagged;;x #new"})
    studied.sync()
    with studied.anki() as col:
        assert sorted(note(col, "tagged").tags) == ["learning", "marked", "new", "own"]


def test_ten_thousand_notes(both: Both) -> None:
    texts = [f"What is {number} in words?;;Word {number}\n{REVIEWED}" for number in range(10_000)]

    def write(flashcards: list[str]) -> None:
        parts = [flashcards[start : start + 100] for start in range(0, len(flashcards), 100)]
        both.write({f"{n}.md": "\n\n".join(part) for n, part in enumerate(parts)})

    write(texts)
    assert done(both.sync()) == {Verb.ADD: 10_000}
    with both.anki() as col:
        for number in range(0, 10_000, 2_000):
            answer_good(col, guid(col, f"What is {number} in words?"))
    assert done(both.sync()) == {Verb.UNCHANGED: 10_000}
    before = both.standing()
    write([text.replace("Word", "The word", n % 100 == 0) for n, text in enumerate(texts[:-1])])
    assert done(both.sync()) == {Verb.UPDATE: 100, Verb.SUSPEND: 1, Verb.UNCHANGED: 9_899}
    same_but(both, before, queue=True)
    assert done(both.sync()) == {Verb.UNCHANGED: 9_999}


# ---------------------------------------------------------------- decks


def moved(both: Both, tag: str) -> None:
    """The vault now has all of its flashcards in another deck."""
    both.write(FIRST)
    file = both.vault / "a.md"
    file.write_text(file.read_text("utf-8").replace("#learning", f"#{tag}"), "utf-8")


def test_a_deck_that_changed_in_the_vault_is_followed(studied: Both) -> None:
    before = studied.standing()
    moved(studied, "biology/cells")
    assert done(studied.sync())[Verb.MOVE] == 3
    with studied.anki() as col:
        assert {deck(col, front) for front in fronts(col)} == {"biology::cells"}
    same_but(studied, before, deck=True)


def test_a_card_that_the_user_moved_stays_where_it_is(studied: Both) -> None:
    with studied.anki() as col:
        mine = col.decks.id("mine")
        assert mine is not None
        col.set_deck([card(col, "hus", 1).id], mine)
    moved(studied, "biology")
    studied.sync()
    with studied.anki() as col:
        assert [deck(col, "hus", ordinal) for ordinal in (0, 1)] == ["biology", "mine"]
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}


def test_a_deck_that_the_user_renamed_is_followed(studied: Both) -> None:
    with studied.anki() as col:
        rename(col, "learning", "Studies::Learning")
    studied.write({"a.md": FIRST["a.md"] + "\n\nmore;;text"})
    assert done(studied.sync()) == {Verb.ADD: 1, Verb.UNCHANGED: 3}
    with studied.anki() as col:
        assert deck(col, "more") == "Studies::Learning"
        assert col.decks.id_for_name("learning") is None


def test_options_and_description_of_a_deck_stay(studied: Both) -> None:
    with studied.anki() as col:
        number = col.decks.id_for_name("learning")
        assert number is not None
        held = col.decks.get(number)
        assert held is not None
        preset = col.decks.add_config("Mine")
        held["desc"], held["conf"] = "mine", preset["id"]
        col.decks.save(held)
    studied.write({"a.md": FIRST["a.md"] + "\n\nmore;;text"})
    studied.sync()
    with studied.anki() as col:
        held = col.decks.get(number)
        assert held is not None
        assert (held["desc"], held["conf"]) == ("mine", preset["id"])


def test_deck_options_give_the_plugins_longest_interval_to_no_deck_of_others(
    studied: Both,
) -> None:
    def longest(col: Collection, name: str) -> int:
        number = col.decks.id(name)
        assert number is not None
        return int(col.decks.config_dict_for_deck_id(number)["rev"]["maxIvl"])

    with studied.anki() as col:
        col.decks.id("mine")
    file = studied.vault / PLUGIN
    file.parent.mkdir(parents=True)
    file.write_text(
        '{"settings": {"flashcardTags": ["#learning"], "singleLineCardSeparator": ";;", '
        '"singleLineReversedCardSeparator": ";;;", "maximumInterval": 400}}',
        "utf-8",
    )
    before = studied.standing()
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}
    result = studied.sync(deck_options=True)
    assert [(limit.deck, limit.days) for limit in result.changes.limits] == [("learning", 400)]
    with studied.anki() as col:
        assert (longest(col, "learning"), longest(col, "mine")) == (400, 36500)
    assert studied.sync(deck_options=True).ending is Ending.UNCHANGED
    same_but(studied, before)


def test_deck_options_without_a_longest_interval_are_refused(studied: Both) -> None:
    with pytest.raises(Obs2ankiError, match="no maximum interval"):
        studied.sync(deck_options=True)


def cram(col: Collection, search: str) -> None:
    """Have a filtered deck fetch the cards that a search finds."""
    filtered = col.sched.get_or_create_filtered_deck(DeckId(0))
    filtered.name = "Cramming"
    del filtered.config.search_terms[:]
    filtered.config.search_terms.append(
        FilteredDeckConfig.SearchTerm(
            search=search, limit=100, order=FilteredDeckConfig.SearchTerm.Order.ADDED
        )
    )
    col.sched.add_or_update_filtered_deck(filtered)


def test_what_leaves_while_it_is_in_a_filtered_deck_sleeps_there(studied: Both) -> None:
    with studied.anki() as col:
        cram(col, "-is:suspended")
        assert deck(col, "What makes ATP?") == deck(col, "new") == "Cramming"
    before = studied.standing()
    studied.write({"a.md": "hus;;;house"})
    assert done(studied.sync()) == {Verb.SUSPEND: 2, Verb.UNCHANGED: 1}
    studied.write(FIRST)
    assert done(studied.sync()) == {Verb.WAKE: 2, Verb.UNCHANGED: 1}
    same_but(studied, before, queue=True)
    with studied.anki() as col:
        cramming = col.decks.id_for_name("Cramming")
        assert cramming is not None
        col.sched.empty_filtered_deck(cramming)
        assert {deck(col, front) for front in fronts(col)} == {"learning"}
        assert not col.find_cards("is:suspended")
        assert anki_collection.card(col, guid(col, "What makes ATP?")).interval >= 14


def crammed(col: Collection) -> list[CardId]:
    """Cards that a filtered deck, which reschedules nothing, is to ask again in a moment."""
    cram(col, "-is:suspended")
    filtered = col.sched.get_or_create_filtered_deck(card(col, "new").did)
    filtered.config.reschedule = False
    col.sched.add_or_update_filtered_deck(filtered)
    for front in ("What makes ATP?", "new"):
        answer_again(col, guid(col, front))
    return [card(col, front).id for front in ("What makes ATP?", "new")]


def test_what_a_filtered_deck_asks_again_sleeps_once_it_is_back(studied: Both) -> None:
    with studied.anki() as col:
        crammed(col)
    studied.write({"a.md": "hus;;;house"})
    assert done(studied.sync()) == {Verb.UNCHANGED: 1}
    with studied.anki() as col:
        col.sched.empty_filtered_deck(card(col, "new").did)
    assert done(studied.sync()) == {Verb.SUSPEND: 2, Verb.UNCHANGED: 1}


def test_what_a_filtered_deck_asked_again_wakes_once_it_is_back(studied: Both) -> None:
    studied.write({"a.md": "hus;;;house"})
    studied.sync()
    with studied.anki() as col:
        col.sched.unsuspend_cards(col.find_cards("is:suspended"))
        col.sched.suspend_cards(crammed(col))
    studied.write(FIRST)
    assert Verb.WAKE not in done(studied.sync())
    assert done(studied.sync()) == {Verb.UNCHANGED: 3}
    with studied.anki() as col:
        col.sched.empty_filtered_deck(card(col, "new").did)
    assert done(studied.sync()) == {Verb.WAKE: 2, Verb.UNCHANGED: 1}


def test_filtered_decks_are_left_alone(studied: Both) -> None:
    with studied.anki() as col:
        cram(col, "is:new")
        assert deck(col, "new") == "Cramming"
    before = studied.standing()
    moved(studied, "biology")
    studied.sync()
    with studied.anki() as col:
        assert deck(col, "new") == "Cramming"
        assert deck(col, "What makes ATP?") == "biology"
        number = card(col, "new").id
    assert studied.standing().cards[number] == before.cards[number]
    with studied.anki() as col:
        cramming = col.decks.id_for_name("Cramming")
        assert cramming is not None
        col.sched.empty_filtered_deck(cramming)
    assert done(studied.sync())[Verb.MOVE] == 2  # of hus one card was in there too
    with studied.anki() as col:
        assert deck(col, "new") == "biology"


def test_a_new_flashcard_of_a_deck_that_is_filtered_in_anki_goes_beside_it(both: Both) -> None:
    with both.anki() as col:
        filtered = col.sched.get_or_create_filtered_deck(DeckId(0))
        filtered.name, filtered.allow_empty = "learning", True
        col.sched.add_or_update_filtered_deck(filtered)
    both.write({"a.md": "new;;one"})
    assert done(both.sync()) == {Verb.ADD: 1}
    with both.anki() as col:
        assert not col.decks.is_filtered(card(col, "new").did)
    assert done(both.sync()) == {Verb.UNCHANGED: 1}


# ---------------------------------------------------------------- what has left


def test_an_orphan_sleeps_and_wakes_with_all_that_was_learnt(studied: Both) -> None:
    before = studied.standing()
    studied.write({"a.md": "new;;one"})
    assert done(studied.sync()) == {Verb.SUSPEND: 2, Verb.UNCHANGED: 1}
    with studied.anki() as col:
        assert fronts(col) == ["What makes ATP?", "hus", "new"]
        assert {c.queue for c in note(col, "hus").cards()} == {-1}
        assert ORPHAN_TAG in note(col, "hus").tags
    same_but(studied, before, queue=True)
    assert done(studied.sync()) == {Verb.UNCHANGED: 1}
    studied.write(FIRST)
    assert done(studied.sync()) == {Verb.WAKE: 2, Verb.UNCHANGED: 1}
    with studied.anki() as col:
        assert note(col, "hus").tags == ["learning"]
    same_but(studied, before)


def test_notes_of_others_are_never_touched(studied: Both, tmp_path: Path) -> None:
    other = Both(tmp_path / "other", studied.profile)
    other.vault.mkdir()
    (other.vault / "obs2anki.toml").write_text('namespace = "other"\n', "utf-8")
    other.write({"b.md": "What makes ATP?;;Others\n\nelse;;where"})
    assert done(other.sync()) == {Verb.ADD: 2}
    with studied.anki() as col:
        notetype = col.models.by_name("Basic")
        assert notetype is not None
        own = col.new_note(notetype)
        own["Front"] = "my own"
        number = col.decks.id_for_name("learning")
        assert number is not None
        col.add_note(own, number)
    before = studied.standing()
    studied.write({"a.md": "new;;one"})
    assert done(studied.sync()) == {Verb.SUSPEND: 2, Verb.UNCHANGED: 1}
    assert done(other.sync()) == {Verb.UNCHANGED: 2}
    other.write({"b.md": "else;;where"})
    assert done(other.sync()) == {Verb.SUSPEND: 1, Verb.UNCHANGED: 1}
    same_but(studied, before, queue=True)
    with studied.anki() as col:
        assert card(col, "my own").queue == card(col, "new").queue == 0


def test_a_document_that_cannot_be_read_has_not_left(studied: Both) -> None:
    studied.write({"b.md": "more;;text"})
    (studied.vault / "a.md").write_bytes(b"\xff\xfe\x00#learning")
    assert done(studied.sync()) == {Verb.ADD: 1}


# ---------------------------------------------------------------- prune


def prune(both: Both, *, confirmed: bool = True, force: bool = False) -> syncing.Pruned:
    session = destination.Collection(both.collection).session
    return syncing.prune(Request(both.vault), session, Terms(lambda _: confirmed), force=force)


MANY = "\n\n".join(f"question {number};;answer {number}" for number in range(20))


def test_prune_deletes_what_has_left_and_nothing_else(both: Both) -> None:
    both.write({"a.md": MANY})
    both.sync()
    both.write({"a.md": MANY.replace("question 7;;answer 7\n\n", "")})
    both.sync()
    assert prune(both, confirmed=False).ending is Ending.DECLINED
    assert [one.place.question for one in prune(both).removed] == ["question 7"]
    with both.anki() as col:
        assert len(fronts(col)) == 19
        assert "question 7" not in fronts(col)
    assert prune(both).ending is Ending.UNCHANGED
    both.write({"a.md": MANY})
    assert done(both.sync()) == {Verb.ADD: 1, Verb.UNCHANGED: 19}


def test_to_delete_more_than_a_tenth_takes_force(both: Both) -> None:
    both.write({"a.md": MANY})
    both.sync()
    both.write({"a.md": "question 1;;answer 1"})
    with pytest.raises(Obs2ankiError, match=r"19 notes of 20 would be deleted.*--force"):
        prune(both)
    prune(both, force=True)
    with both.anki() as col:
        assert fronts(col) == ["question 1"]


# ---------------------------------------------------------------- media


def test_media_are_added_and_never_replaced(studied: Both) -> None:
    (studied.vault / "cat.png").write_bytes(b"a cat")
    studied.write({"a.md": "cat;;![[cat.png]]"})
    studied.sync()
    (first,) = (studied.profile / "collection.media").iterdir()
    assert first.read_bytes() == b"a cat"
    (studied.vault / "cat.png").write_bytes(b"another cat")
    studied.sync()
    second = set((studied.profile / "collection.media").iterdir()) - {first}
    assert [file.read_bytes() for file in second] == [b"another cat"]
    with studied.anki() as col:
        assert second.pop().name in note(col, "cat")["Back"]
    first.unlink()  # as Anki's Check Media does


def test_media_that_got_lost_are_added_again(studied: Both) -> None:
    (studied.vault / "cat.png").write_bytes(b"a cat")
    studied.write({"a.md": "cat;;![[cat.png]]"})
    studied.sync()
    (file,) = (studied.profile / "collection.media").iterdir()
    file.unlink()
    assert studied.sync().ending is Ending.WRITTEN
    assert file.read_bytes() == b"a cat"


# ---------------------------------------------------------------- what can go wrong


OPEN = (
    "import sys; from anki.collection import Collection; c = Collection(sys.argv[1]); "
    "print('open', flush=True); sys.stdin.read(); c.close()"
)


def test_a_collection_that_is_open_in_anki_is_left_alone(studied: Both) -> None:
    path = str(studied.collection)
    with subprocess.Popen(
        [sys.executable, "-c", OPEN, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as anki:
        assert anki.stdout is not None
        assert anki.stdout.readline() == "open\n"
        with pytest.raises(Obs2ankiError, match=r"open in Anki\. Close Anki"):
            studied.sync()
        assert anki.stdin is not None
        anki.stdin.close()


def test_anki_cannot_open_the_collection_meanwhile(studied: Both) -> None:
    with destination.Collection(studied.profile).session() as anki:
        anki.read("obs2anki")
        code = "import sys; from anki.collection import Collection; Collection(sys.argv[1])"
        opened = subprocess.run(
            [sys.executable, "-c", code, str(studied.collection)], capture_output=True, check=False
        )
        assert opened.returncode != 0
        assert b"already open" in opened.stderr or b"Locked" in opened.stderr


def test_a_picture_that_changes_meanwhile_is_no_other_one_by_its_name(
    studied: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, picture = studied.collection.read_bytes(), studied.vault / "cat.png"
    picture.write_bytes(b"a cat")
    studied.write({"a.md": "cat;;![[cat.png]]"})
    usual = destination.Session._add_media

    def late(session: destination.Session, media: Iterable[Media]) -> None:
        picture.write_bytes(b"a dog")
        usual(session, media)

    with monkeypatch.context() as patch:
        patch.setattr(destination.Session, "_add_media", late)
        with pytest.raises(Obs2ankiError, match="has changed while it was read"):
            studied.sync()
    assert studied.collection.read_bytes() == before
    folder = studied.profile / "collection.media"
    assert not list(folder.iterdir())
    studied.sync()
    assert [file.read_bytes() for file in folder.iterdir()] == [b"a dog"]


@pytest.mark.parametrize(
    ("place", "step"),
    [
        (OpenCollection, "write"),
        (destination.Session, "_check"),
        (destination.Session, "_add_media"),
        (destination.Session, "_swap"),
    ],
)
def test_what_fails_leaves_the_collection_as_it_was(
    studied: Both, place: type, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = studied.collection.read_bytes()
    remembered = (studied.vault / ".obs2anki/ledger.jsonl").read_bytes()
    studied.write({"a.md": "hus;;;maison\n\nmore;;text"})

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(place, step, fail)
        with pytest.raises(Obs2ankiError, match="No space left"):
            studied.sync()
    assert studied.collection.read_bytes() == before
    assert (studied.vault / ".obs2anki/ledger.jsonl").read_bytes() == remembered
    assert done(studied.sync())[Verb.ADD] == 1


@pytest.mark.parametrize(
    ("spoiling", "sentence"),
    [
        ("update notes set flds = 'too few'", "own check finds fault"),
        ("delete from revlog", "lost 2 reviews"),
        (
            "insert into revlog select id + 90000, cid, usn, ease, ivl, lastIvl, factor, time, "
            "type from revlog",
            "invented 2",
        ),
        ("update cards set ivl = ivl + 1", "changed 4 cards"),
    ],
)
def test_what_has_a_fault_or_would_touch_a_review_is_not_put_in_place(
    studied: Both, spoiling: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = studied.collection.read_bytes()
    studied.write({"a.md": FIRST["a.md"].replace("house", "maison")})

    def spoil(opened: OpenCollection, _: object) -> None:
        assert opened.engine.db is not None
        opened.engine.db.execute(spoiling)

    monkeypatch.setattr(OpenCollection, "_update", spoil)
    with pytest.raises(Obs2ankiError, match=sentence):
        studied.sync()
    assert studied.collection.read_bytes() == before


def test_a_collection_with_faults_of_its_own_is_followed_all_the_same(studied: Both) -> None:
    import sqlite3

    with closing(sqlite3.connect(studied.collection)) as database:
        database.execute("update cards set ivl = 1.5 where id = (select max(id) from cards)")
        database.commit()
    studied.write({"a.md": FIRST["a.md"].replace("one", "two")})
    assert done(studied.sync())[Verb.UPDATE] == 1
    with studied.anki() as col:
        col.fix_integrity()


def test_a_card_of_which_an_old_anki_wrote_no_data_is_moved(studied: Both) -> None:
    with studied.anki() as col:
        assert col.db is not None
        col.db.execute("update cards set data = '' where type = 0")
    moved(studied, "biology")
    session = destination.Collection(studied.collection).session
    after = syncing.sync(Request(studied.vault), session, Terms(lambda _: True))
    assert done(after)[Verb.MOVE] == 3


def cards_say(both: Both, what: str) -> None:
    """Have the cards in review say something that Anki's engine would not write."""
    with both.anki() as col:
        assert col.db is not None
        col.db.execute(f"update cards set {what} where type = 2")


@pytest.mark.parametrize(
    "what",
    [
        "ivl = 14.5",
        "due = due + 0.4",
        "data = json_set(data, '$.s', 12.3456789)",
        "data = json_set(data, '$.unheard-of', 1)",
    ],
)
def test_a_card_is_moved_whatever_another_program_has_written_in_it(
    studied: Both, what: str
) -> None:
    cards_say(studied, what)
    moved(studied, "biology")
    assert done(studied.sync())[Verb.MOVE] == 3
    cards_say(studied, "due = round(due), ivl = round(ivl)")


def test_no_card_that_is_put_to_sleep_forgets_when_it_is_due(studied: Both) -> None:
    cards_say(studied, "due = due + 0.4")  # for 0 it is taken by Anki's engine
    before = studied.collection.read_bytes()
    studied.write({"a.md": "hus;;;house\n\nnew;;one"})
    with pytest.raises(Obs2ankiError, match="Check Database"):
        studied.sync()
    assert studied.collection.read_bytes() == before
    with studied.anki() as col:
        col.fix_integrity()
    assert done(studied.sync())[Verb.SUSPEND] == 1


def position(both: Both, due: int, which: str = "") -> None:
    """Give new cards a position, of which Anki's check warns from a million on."""
    with both.anki() as col:
        assert col.db is not None
        col.db.execute(f"update cards set due = {due} where type = 0 {which}")


def test_of_a_fault_that_a_collection_has_there_may_be_less(studied: Both) -> None:
    position(studied, 2_000_000)
    studied.write({"a.md": "hus;;;house"})
    studied.sync()
    session = destination.Collection(studied.collection).session
    terms = Terms(lambda _: True)
    assert "2\u2069 new cards" in studied.complaints()[0]
    syncing.prune(Request(studied.vault), session, terms, force=True)
    assert "1\u2069 new card " in studied.complaints()[0]
    position(studied, 7)


def test_of_a_fault_that_a_collection_has_there_is_no_more(
    studied: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    position(studied, 2_000_000, "and id = (select max(id) from cards where type = 0)")
    before = studied.collection.read_bytes()
    studied.write({"a.md": FIRST["a.md"].replace("house", "maison")})

    def spoil(opened: OpenCollection, _: object) -> None:
        assert opened.engine.db is not None
        opened.engine.db.execute("update cards set due = 2000000, mod = mod + 1 where type = 0")

    with monkeypatch.context() as patch:
        patch.setattr(OpenCollection, "_update", spoil)
        patch.setattr(open_collection, "_refuse_lost_reviews", lambda *_: None)
        with pytest.raises(Obs2ankiError, match=r"own check .*2. new cards"):
            studied.sync()
    assert studied.collection.read_bytes() == before
    position(studied, 7)


def test_a_collection_of_a_newer_anki_is_refused(studied: Both) -> None:
    import sqlite3

    good = studied.collection.read_bytes()
    with closing(sqlite3.connect(studied.collection)) as database:
        database.execute("update col set ver = 99")
        database.commit()
    with pytest.raises(Obs2ankiError, match="newer Anki"):
        studied.sync()
    studied.collection.write_bytes(good)


def test_a_log_that_a_crashed_anki_left_is_read_and_never_overwritten(studied: Both) -> None:
    studied.collection.with_name("collection.anki2-wal").write_bytes(b"not finished")
    assert studied.sync(dry_run=True).ending is Ending.PREVIEWED
    studied.write({"a.md": "hus;;;maison"})
    with pytest.raises(Obs2ankiError, match=r"Open the collection in Anki once"):
        studied.sync()
    studied.collection.with_name("collection.anki2-wal").unlink()


def test_a_sync_that_comes_between_undoes_nothing(
    studied: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(studied, vault=studied.vault.with_name("other"))
    other.write({"o.md": "What is of the other vault?;;This"})
    (other.vault / "obs2anki.toml").write_text('namespace = "other"\n')
    studied.write({"a.md": FIRST["a.md"] + "\n\nWhat is late?;;This"})
    lock = destination._lock

    def late(file: BinaryIO) -> None:
        monkeypatch.setattr(destination, "_lock", lock)
        syncing.sync(
            Request(other.vault),
            destination.Collection(other.collection).session,
            Terms(lambda _: True),
        )
        lock(file)

    monkeypatch.setattr(destination, "_lock", late)
    studied.sync()
    with studied.anki() as col:
        assert {"What is of the other vault?", "What is late?"} <= set(fronts(col))


@pytest.mark.parametrize("more", [-1, 0, 2_000])
def test_a_full_disk_is_said_and_leaves_the_collection(studied: Both, more: int) -> None:
    studied.write({"a.md": "\n\n".join(f"{n} and?;;{n**500}" for n in range(150))})
    before = studied.collection.read_bytes()
    # No file may grow beyond this: as on a full disk, a write fails half-way.
    most = len(before) + more
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))"
    profile = ("--collection", str(studied.profile), "--yes")
    done = ended(child(["sync", str(studied.vault), *profile], studied.vault.parent, limit))
    assert (done.code, done.out) == (2, ""), done.err
    assert "it is as it was. Look at the room on the disk" in done.err
    assert studied.collection.read_bytes() == before
    assert not list(studied.profile.glob(".obs2anki*"))


@pytest.mark.parametrize(
    "said",
    [
        DBError('DbError { info: "SqliteFailure(Error { code: DiskFull, extended_code: 13 }, '
                'Some(\\"database or disk is full\\"))", kind: Other }', None, None, None),
        BackendError("No space left on device (os error 28)", None, None, None),
        sqlite3.OperationalError("disk I/O error"),
    ],
)  # fmt: skip
def test_what_the_disk_refuses_the_engine_is_said_of_the_disk(said: Exception) -> None:
    with pytest.raises(OSError) as refused, collection_notes.sentences(Path("collection.anki2")):
        raise said
    assert refused.value.strerror is not None and refused.value.strerror in str(said)


def test_what_a_killed_run_left_is_cleared_away(studied: Both) -> None:
    left = studied.profile / ".obs2anki-0123456789abcdef.tmp"
    left.mkdir()
    (left / "collection.anki2").write_bytes(b"half")
    studied.sync()
    assert not left.exists()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [("nowhere", None, "There is no Anki collection"), ("text", b"text", "is no Anki collection")],
)
def test_what_is_no_collection_is_refused(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with (
        pytest.raises(Obs2ankiError, match=sentence),
        destination.Collection(path).session(),
    ):
        pass


def test_without_the_engine_the_remedy_is_told(
    studied: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destination, "has_engine", lambda: False)
    with pytest.raises(Obs2ankiError, match=r"pip install 'obs2anki\[anki\]'"):
        studied.sync()


# ---------------------------------------------------------------- which profile


def profile(base: Path, name: str) -> Path:
    path = base / name / "collection.anki2"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    return path


def test_the_only_profile_is_found(tmp_path: Path) -> None:
    only = profile(tmp_path, "User 1")
    assert profiles.find(None, {"ANKI_BASE": str(tmp_path)}) == only


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("linux", ".local/share/Anki2"),
        ("linux", ".var/app/net.ankiweb.Anki/data/Anki2"),
        ("darwin", "Library/Application Support/Anki2"),
        ("win32", "AppData/Roaming/Anki2"),
    ],
)
def test_each_system_has_its_place(tmp_path: Path, platform: str, folder: str) -> None:
    there = profile(tmp_path / folder, "User 1")
    assert profiles.find(None, {"HOME": str(tmp_path)}, platform) == there


def test_of_several_profiles_one_has_to_be_named(tmp_path: Path) -> None:
    one, _ = profile(tmp_path, "One"), profile(tmp_path, "Two")
    base = {"ANKI_BASE": str(tmp_path)}
    with pytest.raises(Obs2ankiError, match=r"One, Two\. Name one: --profile"):
        profiles.find(None, base)
    assert profiles.find("One", base) == one
    with pytest.raises(Obs2ankiError, match="no profile Three"):
        profiles.find("Three", base)


def test_where_anki_never_ran_the_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(Obs2ankiError, match="Start Anki once"):
        profiles.find(None, {"ANKI_BASE": str(tmp_path)})


# ---------------------------------------------------------------- the command


def test_the_command_shows_what_it_does(both: Both, capsys: Capture) -> None:
    both.write(FIRST)
    arguments = ["sync", str(both.vault), "--collection", str(both.profile)]
    shown = run([*arguments, "--dry-run"], capsys)
    assert shown.code == 0
    assert "add   " in shown.out
    assert "a.md:3" in shown.out
    assert "Nothing was written. A sync would leave: 3 added." in shown.out
    assert "Anki follows the vault: 3 added." in run(arguments, capsys).out
    assert "already: 3 unchanged." in run(arguments, capsys).out


def test_json_tells_every_note_with_its_place(studied: Both, capsys: Capture) -> None:
    studied.write({"a.md": "new;;two\n\nmore;;text"})
    arguments = ["sync", str(studied.vault), "--collection", str(studied.profile)]
    told = json.loads(run([*arguments, "--format", "json"], capsys).out)
    assert told["ending"] == "written"
    assert [(n["path"], n["line"], n["verbs"]) for n in told["notes"]] == [
        ("a.md", 5, ["add"]),
        ("a.md", 3, ["update"]),
        ("a.md", None, ["suspend"]),
        ("a.md", None, ["suspend"]),
    ]


def test_a_large_change_is_not_done_unasked(both: Both, capsys: Capture) -> None:
    both.write({"a.md": "\n\n".join(f"question {n};;answer {n}" for n in range(201))})
    before = both.collection.read_bytes()
    arguments = ["sync", str(both.vault), "--collection", str(both.profile)]
    refused = run(arguments, capsys)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert both.collection.read_bytes() == before
    assert run([*arguments, "--yes"], capsys).code == 0


@pytest.mark.parametrize(("suspended", "code"), [(10, 0), (11, 2)])
def test_in_a_small_vault_more_than_ten_are_not_suspended_unasked(
    both: Both, capsys: Capture, suspended: int, code: int
) -> None:
    lines = [f"question {n};;answer {n}" for n in range(20)]
    both.write({"a.md": "\n\n".join(lines)})
    arguments = ["sync", str(both.vault), "--collection", str(both.profile)]
    assert run(arguments, capsys).code == 0
    both.write({"a.md": "\n\n".join(lines[suspended:])})
    assert run(arguments, capsys).code == code


def test_an_empty_vault_is_a_finding(both: Both, capsys: Capture) -> None:
    both.write({})
    ended = run(["sync", str(both.vault), "--collection", str(both.profile)], capsys)
    assert ended.code == 1


# ---------------------------------------------------------------- nothing has changed


def command(both: Both) -> list[str]:
    return ["sync", str(both.vault), "--collection", str(both.profile)]


@pytest.fixture
def resting(both: Both, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> Both:
    """A vault and an Anki of which a sync knows that nothing has changed."""
    monkeypatch.setattr(vault, "SETTLED", -1)  # a file may be as new as it likes
    both.write(FIRST)
    assert run(command(both), capsys).code == 0
    return both


def test_where_nothing_changed_the_vault_is_not_read(
    resting: Both, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    with monkeypatch.context() as patch:
        patch.setattr(syncing, "sync", None)
        told += [run(command(resting), capsys) for _ in range(2)]
    (resting.vault / "b.md").write_text("no flashcard", "utf-8")
    told.append(run(command(resting), capsys))
    assert {ended.out for ended in told} == {"Anki follows the vault already: 3 unchanged.\n"}


def test_reviews_in_anki_change_nothing_for_a_sync(
    resting: Both, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with resting.anki() as col:
        answer_good(col, guid(col, "new"))
    monkeypatch.setattr(syncing, "sync", None)
    assert run(command(resting), capsys).code == 0


def test_what_waits_for_a_filtered_deck_is_done_once_its_card_is_back(
    resting: Both, capsys: Capture
) -> None:
    with resting.anki() as col:
        cram(col, "is:new")
    moved(resting, "biology")
    assert [run(command(resting), capsys).code for _ in range(2)] == [0, 0]
    with resting.anki() as col:
        assert deck(col, "new") == "Cramming"
        col.sched.empty_filtered_deck(card(col, "new").did)
    assert "2 moved" in run(command(resting), capsys).out
    with resting.anki() as col:
        assert deck(col, "new") == "biology"


def _delete(both: Both) -> None:
    with both.anki() as col:
        col.remove_notes([note(col, "new").id])


def _lose_the_ledger(both: Both) -> None:
    (both.vault / ".obs2anki/ledger.jsonl").unlink()


def _edit(both: Both) -> None:
    both.write({"a.md": FIRST["a.md"].replace("one", "two")})


def _settle(both: Both) -> None:
    (both.vault / "obs2anki.toml").write_text('[decks]\nroot = "All"\n', "utf-8")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_delete, "1 added, 2 unchanged"),
        (_lose_the_ledger, "3 unchanged"),
        (_edit, "1 updated, 2 unchanged"),
        (_settle, "3 moved"),
    ],
)
def test_what_changed_since_is_seen(
    resting: Both, change: Callable[[Both], None], told: str, capsys: Capture
) -> None:
    change(resting)
    assert told in run(command(resting), capsys).out


# ---------------------------------------------------------------- killed


@pytest.mark.parametrize("point", POINTS)
def test_what_is_reworded_after_a_sync_that_was_killed_is_not_doubled(
    studied: Both, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = FIRST["a.md"]
    first, second, third = (
        f"What {does} the liver of a grown man{every} day?;;Bile and proteins"
        for does, every in (("does", " make"), ("does", " make every"), ("makes", " each"))
    )
    before = studied.standing()
    for added in (first, second):
        studied.write({"a.md": f"{text}\n\n{added}\n{REVIEWED}"})
        killed(studied, point, monkeypatch)
    studied.write({"a.md": f"{text}\n\n{third}\n{REVIEWED}"})
    assert studied.sync().ending is Ending.WRITTEN
    with studied.anki() as col:
        assert fronts(col) == sorted([third.partition(";;")[0], "What makes ATP?", "hus", "new"])
        assert not col.find_cards("is:suspended")
    assert done(studied.sync()) == {Verb.UNCHANGED: 4}
    same_but(studied, before)
    assert sorted(file.name for file in (studied.vault / ".obs2anki").iterdir()) == [
        ".gitattributes",
        "ledger.jsonl",
    ]


def test_a_watch_whose_sync_broke_off_doubles_nothing(
    studied: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = build.Memory()  # of one process
    session = destination.Collection(studied.collection).session
    terms = Terms(lambda _: True)

    def follow(flashcard: str) -> None:
        studied.write({"a.md": f"{FIRST['a.md']}\n\n{flashcard}"})
        deed = partial(syncing.follow, session=session, terms=terms)
        build.run(Request(studied.vault), deed, memory=memory)

    def fail(*_: object) -> bool:
        raise Obs2ankiError("The ledger cannot be written.")

    follow("")
    with monkeypatch.context() as patch:
        patch.setattr(build, "remember", fail)
        with pytest.raises(Obs2ankiError):
            follow("What does the liver of a man make?;;Bile")
    follow("What does the liver of a woman make?;;Bile")
    with studied.anki() as col:
        assert fronts(col) == [
            *("What does the liver of a woman make?", "What makes ATP?", "hus", "new"),
        ]


def test_a_vault_that_is_renamed_during_a_sync_is_known_again_at_its_new_place(
    studied: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = studied.vault.with_name("elsewhere")
    studied.write({"a.md": FIRST["a.md"] + "\n\nWhat does the liver of a man make?;;Bile"})

    def then_rename(round_: build.Round, announced: bytes | None) -> bool:
        studied.vault.rename(place)
        return remember(round_, announced)

    remember = build.remember
    with monkeypatch.context() as patch:
        patch.setattr(build, "remember", then_rename)
        with pytest.raises(Obs2ankiError, match="was moved meanwhile"):
            studied.sync()
    assert not studied.vault.exists()
    moved = replace(studied, vault=place)
    moved.write({"a.md": FIRST["a.md"] + "\n\nWhat does the liver of a woman make?;;Bile"})
    assert done(moved.sync())[Verb.UPDATE] == 1
    with moved.anki() as col:
        assert len(fronts(col)) == 4


def test_a_sync_that_is_killed_anywhere_is_finished_by_the_next(tmp_path: Path) -> None:
    points = os.environ.get("OBS2ANKI_KILLS", "30")
    child = subprocess.run(
        [sys.executable, "-m", "tests.killed_syncs", str(tmp_path), points],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stdout + child.stderr
