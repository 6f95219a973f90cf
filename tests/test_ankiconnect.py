"""A running Anki follows the vault, through an AnkiConnect that has Anki's engine behind it.

The scenarios are those of a collection (test_sync.py), done over HTTP; in every one of them the
review log and each card's state are compared, before and after.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from anki.collection import Collection

# isort: split
# The other modules of anki expect that one to be there first.
from anki.cards import Card
from anki.notes import NoteId

from obs2anki import build, syncing
from obs2anki.build import Request
from obs2anki.data import Notetype, Plan
from obs2anki.deeds import ORPHAN_TAG, Anki, Applied, Changes, Holding, Verb
from obs2anki.destinations import ankiconnect, ankiconnect_calls
from obs2anki.destinations.ankiconnect import NEEDED, AnkiConnect
from obs2anki.destinations.ankiconnect_calls import Calls
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.syncing import Ending, Synced, Terms
from tests import synced, test_sync
from tests.anki_collection import answer_good, bring
from tests.ankiconnect_server import Answer, Server, serving
from tests.commands import run
from tests.synced import FIRST, REVIEWED, Both, card, deck, done, fronts, guid, note, rename
from tests.test_sync import same_but

AGREED = Terms(lambda _: True)


@dataclass(frozen=True, slots=True)
class Connected(Both):
    """A vault, and an Anki that runs while it syncs."""

    @contextmanager
    def running(self, **settings: Answer) -> Iterator[Server]:
        """Anki, started."""
        with self.anki() as col, serving(col, **settings) as server:
            yield server

    def sync_on(self, terms: Terms) -> Synced:
        """One sync on these terms; what changes nothing does nothing that writes."""
        with self.running() as server:
            result = self.sync_with(server, terms=terms)
        assert result.applied.refused == ()
        assert bool(server.written) is (result.ending is Ending.WRITTEN)
        return result

    def sync_with(self, server: Server, key: str = "", terms: Terms = AGREED) -> Synced:
        """One sync with an Anki that runs, which touches no card but those that it says."""
        place = AnkiConnect(
            server.url,
            key,
            schedules=terms.wishes.reschedule,
            deck_options=terms.deck_options,
        )
        before = synced.standing(server.col)
        result = syncing.sync(Request(self.vault), place.session, terms)
        synced.left_alone(before, synced.standing(server.col), result)
        return result


@pytest.fixture
def both(tmp_path: Path) -> Connected:
    made = synced.both(tmp_path)
    return Connected(made.vault, made.profile)


@pytest.fixture
def studied(both: Connected) -> Connected:
    """A vault that was synced, and an Anki in which two cards were answered since."""
    both.write(FIRST)
    both.sync()
    with both.anki() as col:
        synced.study(col)
    return both


reviews_stay = test_sync.reviews_stay

SCENARIOS: tuple[Callable[..., None], ...] = (
    test_sync.test_a_first_sync_brings_what_an_import_would,
    test_sync.test_export_and_sync_can_be_mixed,
    test_sync.test_notes_that_a_lost_ledger_knew_are_left_alone_and_told,
    test_sync.test_a_dry_run_writes_nothing,
    test_sync.test_an_empty_vault_leaves_anki_alone,
    test_sync.test_reschedule_mends_an_import_without_learning_progress,
    test_sync.test_a_reworded_flashcard_keeps_its_card,
    test_sync.test_a_note_that_was_deleted_in_anki_begins_anew,
    test_sync.test_what_is_the_users_stays,
    test_sync.test_fields_that_the_user_added_stay_and_new_notes_have_them,
    test_sync.test_a_template_that_the_user_added_gets_its_cards,
    test_sync.test_templates_of_the_users_own_may_stand_anywhere,
    test_sync.test_a_template_of_ours_that_the_user_removed_stays_away,
    test_sync.test_a_template_of_ours_that_the_user_made_ask_always_is_the_users,
    test_sync.test_where_both_sides_were_edited_nothing_is_lost_unasked,
    test_sync.test_a_sibling_comes_with_its_scheduling,
    test_sync.test_a_direction_that_was_taken_out_sleeps_until_it_is_back,
    test_sync.test_tags_of_the_vault_are_followed_and_the_users_stay,
    test_sync.test_a_deck_that_changed_in_the_vault_is_followed,
    test_sync.test_a_card_that_the_user_moved_stays_where_it_is,
    test_sync.test_a_deck_that_the_user_renamed_is_followed,
    test_sync.test_options_and_description_of_a_deck_stay,
    test_sync.test_filtered_decks_are_left_alone,
    test_sync.test_what_leaves_while_it_is_in_a_filtered_deck_sleeps_there,
    test_sync.test_what_a_filtered_deck_asks_again_sleeps_once_it_is_back,
    test_sync.test_what_a_filtered_deck_asked_again_wakes_once_it_is_back,
    test_sync.test_a_document_that_was_renamed_keeps_its_cards,
    test_sync.test_ten_thousand_notes,
    test_sync.test_a_new_flashcard_of_a_deck_that_is_filtered_in_anki_goes_beside_it,
    test_sync.test_deck_options_give_the_plugins_longest_interval_to_no_deck_of_others,
    test_sync.test_deck_options_without_a_longest_interval_are_refused,
    test_sync.test_an_orphan_sleeps_and_wakes_with_all_that_was_learnt,
    test_sync.test_a_document_that_cannot_be_read_has_not_left,
    test_sync.test_media_are_added_and_never_replaced,
    test_sync.test_media_that_got_lost_are_added_again,
    test_sync.test_what_is_reworded_after_a_sync_that_was_killed_is_not_doubled,
    test_sync.test_a_vault_that_is_renamed_during_a_sync_is_known_again_at_its_new_place,
)
"""What a collection does, a running Anki does."""

globals().update({scenario.__name__: scenario for scenario in SCENARIOS})


# ---------------------------------------------------------------- what is written


def test_what_follows_the_vault_already_is_only_read(studied: Connected) -> None:
    before = studied.standing()
    with studied.running() as server:
        result = studied.sync_with(server)
        assert (result.ending, done(result)) == (Ending.UNCHANGED, {Verb.UNCHANGED: 3})
        assert server.written == []
        assert server.calls <= 12
    assert studied.standing() == before


def test_what_was_imported_before_is_known_again(both: Connected, tmp_path: Path) -> None:
    both.write(FIRST)
    build.run(Request(both.vault, tmp_path / "deck.apkg"), build.export)
    with both.anki() as col:
        bring(col, tmp_path / "deck.apkg")
    assert done(both.sync()) == {Verb.UNCHANGED: 3}


def many(count: int, answer: str = "answer") -> str:
    return "\n\n".join(f"question {number};;{answer} {number}" for number in range(count))


def test_a_small_change_is_written_note_by_note(both: Connected) -> None:
    both.write({"a.md": many(30)})
    both.sync()
    both.write({"a.md": many(30).replace("answer 1", "reply 1")})
    with both.running() as server:
        assert done(both.sync_with(server))[Verb.UPDATE] == 11
        assert server.written == ["updateNoteFields"] * 11


def test_a_large_change_is_one_package_that_keeps_what_is_the_users(both: Connected) -> None:
    both.write({"a.md": many(30)})
    both.sync()
    with both.anki() as col:
        notetype = col.models.by_name("obs2anki")
        assert notetype is not None
        col.models.add_field(notetype, col.models.new_field("Mnemonic"))
        notes = next(field for field in notetype["flds"] if field["name"] == "Notes")
        col.models.rename_field(notetype, notes, "Remarks")
        notetype["name"], notetype["css"] = "mine", "/* mine */"
        col.models.update_dict(notetype)
        one = note(col, "question 7")
        one["Mnemonic"], one["Remarks"], one["Spare 1"] = "seven", "mine", "spare"
        one.tags += ["own", "leech"]
        col.update_note(one)
        col.set_user_flag_for_cards(3, [card(col, "question 7").id])
        col.sched.suspend_cards([card(col, "question 7").id])
        rename(col, "learning", "Studies")
        answer_good(col, guid(col, "question 8"))
        assert col.db is not None
        schema = col.db.scalar("select scm from col")
        col.db.execute("update notes set mod = mod - 60")  # that was a minute ago
    before = both.standing()
    both.write({"a.md": many(30, "another answer")})
    with both.running() as server:
        assert done(both.sync_with(server)) == {Verb.UPDATE: 30}
        assert server.written == ["importPackage"]
    with both.anki() as col:
        one = note(col, "question 7")
        assert one["Back"] == "another answer 7"
        assert (one["Mnemonic"], one["Remarks"], one["Spare 1"]) == ("seven", "mine", "spare")
        assert sorted(one.tags) == ["learning", "leech", "own"]
        notetype = one.note_type()
        assert notetype is not None
        assert (notetype["name"], notetype["css"]) == ("mine", "/* mine */")
        assert col.decks.id_for_name("learning") is None
        assert col.db is not None
        assert col.db.scalar("select scm from col") == schema
        assert len(col.find_notes("")) == 30
    same_but(both, before)
    assert done(both.sync()) == {Verb.UNCHANGED: 30}


def test_many_that_leave_and_come_back_sleep_and_wake(both: Connected) -> None:
    both.write({"a.md": many(40) + "\n\nstays;;here"})
    both.sync()
    before = both.standing()
    both.write({"a.md": "stays;;here"})
    with both.running() as server:
        assert done(both.sync_with(server)) == {Verb.SUSPEND: 40, Verb.UNCHANGED: 1}
        assert server.written == ["importPackage", "suspend"]
    with both.anki() as col:
        assert ORPHAN_TAG in note(col, "question 7").tags
        assert len(col.find_cards("is:suspended")) == 40
    same_but(both, before, queue=True)
    assert done(both.sync()) == {Verb.UNCHANGED: 1}
    both.write({"a.md": many(40) + "\n\nstays;;here"})
    assert done(both.sync()) == {Verb.WAKE: 40, Verb.UNCHANGED: 1}
    same_but(both, before)
    with both.anki() as col:
        assert note(col, "question 7").tags == ["learning"]


def test_many_cards_are_moved_together(both: Connected) -> None:
    both.write({"a.md": many(40)})
    both.sync()
    before = both.standing()
    both.write({"a.md": many(40)})
    file = both.vault / "a.md"
    file.write_text(file.read_text("utf-8").replace("#learning", "#biology"), "utf-8")
    with both.running() as server:
        assert done(both.sync_with(server))[Verb.MOVE] == 40
        assert server.written == ["changeDeck", "importPackage"]
    with both.anki() as col:
        assert {deck(col, front) for front in fronts(col)} == {"biology"}
    same_but(both, before, deck=True)


CLOZES = '[grammar]\ncloze_patterns = ["==[123;;]answer[;;hint]=="]\n'


def test_clozes_are_known_by_their_numbers(both: Connected) -> None:
    text = "\n\n".join(f"=={n}-a== and =={n}-b== and =={n}-c==" for n in range(3))
    (both.vault / "obs2anki.toml").write_text(CLOZES, "utf-8")
    both.write({"a.md": text})
    assert done(both.sync()) == {Verb.ADD: 3}
    both.write({"a.md": text.replace("==1-b==", "1-b")})
    both.sync()
    with both.anki() as col:
        assert [c.queue == -1 for c in card_row(col, "1-b")].count(True) == 1
    both.write({"a.md": text})
    both.sync()
    assert done(both.sync()) == {Verb.UNCHANGED: 3}
    with both.anki() as col:
        assert not any(c.queue == -1 for c in card_row(col, "1-b"))


def test_a_notetype_that_comes_later_is_found(studied: Connected) -> None:
    (studied.vault / "obs2anki.toml").write_text(CLOZES, "utf-8")
    studied.write({"a.md": FIRST["a.md"] + "\n\nit is ==hidden== here"})
    assert done(studied.sync()) == {Verb.ADD: 1, Verb.UNCHANGED: 3}
    assert done(studied.sync()) == {Verb.UNCHANGED: 4}


def card_row(col: Collection, word: str) -> list[Card]:
    (number,) = col.find_notes(f"*{word}*")
    return col.get_note(number).cards()


def test_a_body_stays_small(both: Connected) -> None:
    both.write({"a.md": many(30, "x" * 100_000)})
    both.sync()
    both.write({"a.md": many(30, "x" * 100_000).replace("xx 1", "xy 1")})
    with both.running() as server:
        assert done(both.sync_with(server))[Verb.UPDATE] == 11
        assert server.written == ["updateNoteFields"] * 11
        assert server.largest < 1_200_000


def test_prune_deletes_what_has_left(both: Connected) -> None:
    both.write({"a.md": many(20)})
    both.sync()
    both.write({"a.md": many(20).replace("question 7;;answer 7\n\n", "")})
    both.sync()
    with both.running() as server:
        session = AnkiConnect(server.url).session
        pruned = syncing.prune(Request(both.vault), session, Terms(lambda _: True))
        assert [one.place.question for one in pruned.removed] == ["question 7"]
        assert server.written == ["deleteNotes"]
    with both.anki() as col:
        assert len(fronts(col)) == 19


# ---------------------------------------------------------------- whose notes


def test_notes_of_another_vault_are_never_touched(studied: Connected, tmp_path: Path) -> None:
    other = Connected(tmp_path / "other", studied.profile)
    other.vault.mkdir()
    (other.vault / "obs2anki.toml").write_text('namespace = "Obs2Anki_*:x\\"y"\n', "utf-8")
    other.write({"b.md": "What makes ATP?;;Others\n\nelse;;where"})
    assert done(other.sync()) == {Verb.ADD: 2}
    assert done(other.sync()) == {Verb.UNCHANGED: 2}
    before = studied.standing()
    studied.write({"a.md": "new;;one"})
    assert done(studied.sync()) == {Verb.SUSPEND: 2, Verb.UNCHANGED: 1}
    assert done(other.sync()) == {Verb.UNCHANGED: 2}
    same_but(studied, before, queue=True)


def test_a_copy_that_the_user_kept_is_followed_and_not_doubled(both: Connected) -> None:
    both.write({"a.md": many(30)})
    both.sync()
    with both.anki() as col:
        one = note(col, "question 7")
        notetype = one.note_type()
        assert notetype is not None
        copy = col.new_note(notetype)
        copy.fields, copy.tags = list(one.fields), list(one.tags)
        col.add_note(copy, card(col, "question 7").did)
        col.remove_notes([one.id])
        kept = copy.id
    both.write({"a.md": many(30, "another answer")})
    assert done(both.sync()) == {Verb.UPDATE: 30}
    with both.anki() as col:
        assert (note(col, "question 7").id, note(col, "question 7")["Back"]) == (
            kept,
            "another answer 7",
        )
    assert done(both.sync()) == {Verb.UNCHANGED: 30}


def test_a_note_that_is_elsewhere_is_told_and_never_replaced(studied: Connected) -> None:
    (studied.vault / "obs2anki.toml").write_text('namespace = "renamed"\n', "utf-8")
    studied.write({"a.md": FIRST["a.md"].replace("one", "two")})
    with studied.running() as server:
        result = studied.sync_with(server)
    assert len(result.applied.refused) == 3
    assert {why for _, why in result.applied.refused} == {ankiconnect.ELSEWHERE}
    with studied.anki() as col:
        assert (note(col, "new")["Back"], note(col, "new")["Vault"]) == ("one", "obs2anki")


def test_an_empty_filtered_deck_gets_no_cards(studied: Connected) -> None:
    with studied.anki() as col:
        col.decks.new_filtered("biology")
    before = studied.standing()
    studied.write({"a.md": FIRST["a.md"], "b.md": ""})
    file = studied.vault / "a.md"
    file.write_text(file.read_text("utf-8").replace("#learning", "#biology"), "utf-8")
    with studied.running() as server:
        refused = studied.sync_with(server).applied.refused
        assert server.written == []
    assert [why for _, why in refused] == [
        "biology is a filtered deck in Anki, which can have no cards of its own"
    ] * 3
    same_but(studied, before)


# ---------------------------------------------------------------- no answer is proof


class Interrupted:
    """An Anki in which something happens between reading and writing."""

    def __init__(self, anki: Anki, happens: Callable[[], None]) -> None:
        self.anki, self.happens = anki, happens

    def read(self, namespace: str) -> Holding:
        return self.anki.read(namespace)

    def apply(self, changes: Changes, plan: Plan) -> Applied:
        self.happens()
        return self.anki.apply(changes, plan)


def interrupted(both: Connected, server: Server, happens: Callable[[], None]) -> Synced:
    @contextmanager
    def session() -> Iterator[Interrupted]:
        with AnkiConnect(server.url).session() as anki:
            yield Interrupted(anki, happens)

    return syncing.sync(Request(both.vault), session, Terms(lambda _: True))


@pytest.mark.parametrize("count", [1, 40])
def test_what_is_edited_in_anki_meanwhile_stays(both: Connected, count: int) -> None:
    both.write({"a.md": many(40)})
    both.sync()
    both.write({"a.md": many(40).replace("answer 7", "reply 7")})
    if count > 1:
        both.write({"a.md": many(40, "reply")})
    with both.running() as server:

        def edit() -> None:
            one = note(server.col, "question 7")
            one["Notes"] = "mine"
            server.col.update_note(one)

        refused = interrupted(both, server, edit).applied.refused
        assert [why for _, why in refused] == [ankiconnect.EDITED]
    with both.anki() as col:
        assert (note(col, "question 7")["Back"], note(col, "question 7")["Notes"]) == (
            "answer 7",
            "mine",
        )
    assert done(both.sync())[Verb.UPDATE] == 1
    with both.anki() as col:
        assert (note(col, "question 7")["Back"], note(col, "question 7")["Notes"]) == (
            "reply 7",
            "mine",
        )


def test_what_is_deleted_in_anki_meanwhile_is_not_brought_back(both: Connected) -> None:
    both.write({"a.md": many(40)})
    both.sync()
    both.write({"a.md": many(40, "reply")})
    with both.running() as server:
        number = note(server.col, "question 7").id
        refused = interrupted(both, server, lambda: delete(server.col, number)).applied.refused
        assert [place.question for place, _ in refused] == ["question 7"]
    with both.anki() as col:
        assert len(fronts(col)) == 39


def delete(col: Collection, number: NoteId) -> None:
    col.remove_notes([number])


def open_in_an_editor(server: Server, front: str) -> None:
    """From now on a note gets its old text back after each write, as an open editor does it."""
    old = list(note(server.col, front).fields)

    def undo() -> None:
        one = note(server.col, front)
        one.fields = old
        server.col.update_note(one)

    server.afterwards = {"updateNoteFields": undo, "importPackage": undo}


@pytest.mark.parametrize("action", ["updateNoteFields", "importPackage"])
def test_an_update_that_an_open_editor_undoes_is_told_and_done_again(
    both: Connected, action: str
) -> None:
    both.write({"a.md": many(40)})
    both.sync()
    changed = many(40).replace("answer 7", "reply 7")
    both.write({"a.md": changed if action == "updateNoteFields" else many(40, "reply")})
    with both.running() as server:
        open_in_an_editor(server, "question 7")
        refused = both.sync_with(server).applied.refused
    assert [(place.question, why) for place, why in refused] == [("question 7", ankiconnect.UNDONE)]
    assert done(both.sync())[Verb.UPDATE] == 1
    with both.anki() as col:
        assert note(col, "question 7")["Back"] == "reply 7"
    assert done(both.sync()) == {Verb.UNCHANGED: 40}


@pytest.mark.parametrize("action", ["suspend", "changeDeck", "addTags", "updateNoteFields"])
@pytest.mark.parametrize("large", [False, True])
def test_what_fails_in_part_is_done_again(both: Connected, action: str, large: bool) -> None:
    text = many(40 if large else 5)
    both.write({"a.md": text, "b.md": "stays;;here", "c.md": text.replace("question", "what")})
    both.sync()
    both.write({"b.md": "stays;;here", "c.md": text.replace("question", "what")})
    file = both.vault / "c.md"
    file.write_text(file.read_text("utf-8").replace("#learning", "#biology"), "utf-8")
    error = {"result": None, "error": "Card was not found: 1"}
    with both.running(replaced={action: error}) as server:
        refused = both.sync_with(server).applied.refused
        assert bool(refused) is (action in server.asked)
    both.sync()
    both.write({"a.md": text, "b.md": "stays;;here", "c.md": text.replace("question", "what")})
    file.write_text(file.read_text("utf-8").replace("#learning", "#biology"), "utf-8")
    assert Verb.WAKE in done(both.sync())
    with both.anki() as col:
        assert col.find_cards("is:suspended") == []
        assert {deck(col, one) for one in fronts(col) if one.startswith("what")} == {"biology"}
        assert not col.find_notes(f"tag:{ORPHAN_TAG}")


def test_a_package_that_anki_refuses_leaves_all_awake(both: Connected) -> None:
    both.write({"a.md": many(40) + "\n\nstays;;here"})
    both.sync()
    before = both.standing()
    both.write({"a.md": "stays;;here"})
    error = {"result": None, "error": "invalid Zip archive: Could not find EOCD"}
    with (
        both.running(replaced={"importPackage": error}) as server,
        pytest.raises(Obs2ankiError, match=r"importPackage\): invalid Zip archive"),
    ):
        both.sync_with(server)
    same_but(both, before)
    assert done(both.sync()) == {Verb.SUSPEND: 40, Verb.UNCHANGED: 1}


# ---------------------------------------------------------------- killed half-way


def all_that_a_sync_can_do(both: Connected, count: int) -> None:
    """The vault before and after: the caller syncs in between."""
    plain = "\n\n".join(f"{word(n)} asks;;{word(n)} answers" for n in range(count))
    both.write(
        {
            "a.md": f"{plain}\n\nreversed soon;;sibling",
            "b.md": "goes away;;for good\n\nand also;;this",
            "c.md": "is moved;;elsewhere",
        }
    )


def word(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) * 4 for digit in f"{number:03}")


def and_then(both: Connected, count: int) -> None:
    plain = "\n\n".join(f"{word(n)} asks;;{word(n)} says" for n in range(count))
    (both.vault / "cat.png").write_bytes(b"a cat")
    both.write(
        {
            "a.md": f"{plain}\n\nreversed soon;;;sibling\n{REVIEWED}\n\na cat;;![[cat.png]]",
            "c.md": "is moved;;elsewhere",
        }
    )
    file = both.vault / "c.md"
    file.write_text(file.read_text("utf-8").replace("#learning", "#biology"), "utf-8")


def outcome(both: Connected) -> list[object]:
    with both.anki() as col:
        assert col.db is not None
        rows = col.db.all(
            "select guid, flds, tags, ord, queue, type, due, ivl, factor, did from cards c "
            "join notes n on n.id = nid order by guid, ord"
        )
        names = {one.id: one.name for one in col.decks.all_names_and_ids()}
        media = sorted(Path(col.media.dir()).iterdir())
        return [[*row[:-1], names[row[-1]]] for row in rows] + [file.name for file in media]


@pytest.mark.parametrize("count", [3, 30])
def test_whatever_call_is_the_last_the_next_sync_does_the_rest(tmp_path: Path, count: int) -> None:
    wanted, calls = None, 1
    number = 0
    while number < calls:
        made = synced.both(tmp_path / str(number))
        one = Connected(made.vault, made.profile)
        all_that_a_sync_can_do(one, count)
        one.sync()
        before = one.standing()
        and_then(one, count)
        if wanted is None:
            with one.running() as server:
                one.sync_with(server)
                calls = server.calls
        else:
            with one.running(dies_at=number) as server, pytest.raises(Obs2ankiError):
                one.sync_with(server)
            one.sync()
        assert done(one.sync()).keys() == {Verb.UNCHANGED}
        wanted = wanted or outcome(one)
        assert outcome(one) == wanted, number
        assert one.complaints() == ()
        assert one.standing().reviews == before.reviews
        number += 1
    assert calls > 10


# ---------------------------------------------------------------- an Anki elsewhere


@pytest.mark.parametrize("here", [True, False])
def test_an_anki_that_cannot_read_our_files_gets_their_content(
    both: Connected, here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ankiconnect, "LONGEST", 12_000)
    if not here:
        monkeypatch.setattr(Calls, "is_here", False)
    (both.vault / "cat.png").write_bytes(b"a cat")
    both.write({"a.md": many(60) + "\n\ncat;;![[cat.png]]"})
    with both.running(sees_files=False) as server:
        assert both.sync_with(server).applied.refused == ()
        assert server.asked.count("importPackage") > 2
    (file,) = (both.profile / "collection.media").iterdir()
    assert file.read_bytes() == b"a cat"
    with both.anki() as col:
        assert len(fronts(col)) == 61
    both.write({"a.md": many(60, "reply") + "\n\ncat;;![[cat.png]]"})
    with both.running(sees_files=False) as server:
        assert both.sync_with(server).applied.refused == ()
    assert done(both.sync()) == {Verb.UNCHANGED: 61}


def test_a_file_that_is_too_large_to_send_is_told(
    both: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ankiconnect, "MOST_SENT", 3)
    (both.vault / "cat.png").write_bytes(b"a cat")
    both.write({"a.md": "cat;;![[cat.png]]"})
    with both.running(sees_files=False) as server:
        ((place, why),) = both.sync_with(server).applied.refused
    assert (place.path, place.line) == ("a.md", 3)
    assert "too large" in why
    both.sync()


@pytest.mark.parametrize("sees_files", [True, False])
def test_a_picture_that_changes_meanwhile_does_not_stay_under_the_name_of_another(
    both: Connected, sees_files: bool
) -> None:
    picture, folder = both.vault / "cat.png", both.profile / "collection.media"
    picture.write_bytes(b"a cat")
    both.write({"a.md": "cat;;![[cat.png]]"})
    with both.running(sees_files=sees_files) as server:
        server.meanwhile["storeMediaFile"] = lambda: (picture.write_bytes(b"a dog"), None)[1]
        ((place, why),) = both.sync_with(server).applied.refused
    assert (place.path, place.line) == ("a.md", 3)
    assert "has changed while it was read" in why
    assert not list(folder.iterdir())
    both.sync()
    assert [file.read_bytes() for file in folder.iterdir()] == [b"a dog"]


# ---------------------------------------------------------------- the add-on


def test_it_is_read_while_the_vault_is_looked_at(studied: Connected) -> None:
    with studied.running() as server:
        place = AnkiConnect(server.url)
        session = place.ahead("obs2anki")
        result = syncing.sync(Request(studied.vault), session, Terms(lambda _: True))
        assert done(result) == {Verb.UNCHANGED: 3}
        assert server.asked.count("requestPermission") == 1
        asked = len(server.asked)
        with place.ahead("obs2anki")() as anki:
            assert len(anki.read("obs2anki").notes) == 3
            assert anki.read("another").notes == ()
        assert len(server.asked) > asked
    with pytest.raises(Obs2ankiError, match="No Anki answers"), place.ahead("obs2anki")():
        pass


KEY = "a secret key"


def test_the_api_key_is_sent_with_every_action(both: Connected) -> None:
    both.write({"a.md": many(30)})
    with both.running(key=KEY) as server:
        assert both.sync_with(server, key=KEY).applied.refused == ()
        both.write({"a.md": many(30, "reply")})
        assert done(both.sync_with(server, key=KEY)) == {Verb.UPDATE: 30}


@pytest.mark.parametrize(("key", "sentence"), [("", "got none"), ("wrong one", "is not it")])
def test_without_the_right_key_the_remedy_is_told_and_no_key(
    both: Connected, key: str, sentence: str
) -> None:
    both.write(FIRST)
    with both.running(key=KEY) as server:
        with pytest.raises(Obs2ankiError, match="OBS2ANKI_ANKICONNECT_KEY") as caught:
            both.sync_with(server, key=key)
        assert sentence in str(caught.value)
        assert KEY not in str(caught.value)
        assert "wrong one" not in f"{caught.value} {AnkiConnect(server.url, 'wrong one')}"


def test_a_key_that_the_add_on_quotes_is_not_shown(both: Connected) -> None:
    both.write(FIRST)
    error = {"result": None, "error": f"On instance: {{'key': '{KEY}'}}"}
    with both.running(key=KEY, replaced={"findNotes": error}) as server:
        with pytest.raises(Obs2ankiError, match="On instance") as caught:
            both.sync_with(server, key=KEY)
        assert KEY not in str(caught.value)


def result(value: Answer) -> Answer:
    return {"result": value, "error": None}


UNSUPPORTED = {"result": None, "error": "unsupported action"}

ANSWERS: list[tuple[dict[str, Answer], str]] = [
    (
        {"requestPermission": UNSUPPORTED, "version": result(5)},
        r"speaks version 5 of its API and lacks addTags, .*Update the add-on",
    ),
    (
        {"apiReflect": result({"scopes": ["actions"], "actions": sorted(NEEDED - {"suspend"})})},
        r"version 6 of its API and lacks suspend\. Update",
    ),
    (
        {"requestPermission": result({"permission": "denied"})},
        "gives no permission",
    ),
    (
        {"multi": {"result": None, "error": "collection is not available"}},
        "No collection is open in Anki. Choose your profile",
    ),
    (
        {"findNotes": {"result": None, "error": "Invalid search:\n\n⁨x⁩"}},
        r"could not do what it was asked \(findNotes\): Invalid search: ⁨x⁩\. Look at",
    ),
    ({"findNotes": result("text")}, "answered findNotes in a form that obs2anki does not know"),
    ({"multi": result([])}, "is no AnkiConnect"),
]


@pytest.mark.parametrize(("replaced", "sentence"), ANSWERS)
def test_what_keeps_it_from_working_is_a_sentence(
    both: Connected, replaced: dict[str, Answer], sentence: str
) -> None:
    both.write(FIRST)
    with (
        both.running(replaced=replaced) as server,
        pytest.raises(Obs2ankiError, match=f"(?s){sentence}"),
    ):
        both.sync_with(server)


def test_without_anki_the_remedy_is_told(both: Connected) -> None:
    both.write(FIRST)
    with both.running() as server:
        pass
    with (
        pytest.raises(Obs2ankiError, match=r"No Anki answers at http://127.*Start Anki, with"),
        AnkiConnect(server.url).session(),
    ):
        pass


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "is no AnkiConnect"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "is no AnkiConnect"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "refuses this program"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "is no AnkiConnect"),
        (b"", "is no AnkiConnect"),
        (None, "did not answer within 0 seconds. It may be synchronising"),
    ],
)
def test_what_answers_something_else_is_a_sentence(
    answer: bytes | None, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ankiconnect_calls, "ANSWER", 0.3)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def once() -> None:
            client, _ = server.accept()
            with client:
                asked = b""
                while not asked.endswith(b"}"):  # to close it before would break the connection
                    asked += client.recv(65536)
                if answer is None:
                    over.wait(10)
                else:
                    client.sendall(answer)

        over = threading.Event()
        thread = threading.Thread(target=once)
        thread.start()
        place = AnkiConnect(f"http://127.0.0.1:{server.getsockname()[1]}")
        try:
            with pytest.raises(Obs2ankiError, match=sentence), place.session():
                pass
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    ("url", "meant", "here"),
    [
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765", True),
        ("localhost", "http://localhost:8765", True),
        ("[::1]:80", "http://[::1]:80", True),
        ("http://127.0.0.1.example.org", "http://127.0.0.1.example.org:8765", False),
        ("https://anki.example.org/", "https://anki.example.org:443", False),
    ],
)
def test_an_address_is_understood(url: str, meant: str, here: bool) -> None:
    calls = Calls.to(url)
    assert (calls.url, calls.is_here) == (meant, here)


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x:port", "http://me:word@x", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Obs2ankiError, match="is no address of AnkiConnect") as caught:
        Calls.to(url)
    assert "word@" not in str(caught.value)


# ---------------------------------------------------------------- what was recorded

RECORDINGS = Path(__file__).parent.parent / "fixtures/ankiconnect/recordings.jsonl"


def recorded() -> dict[str, Answer]:
    lines = RECORDINGS.read_text("utf-8").splitlines()
    return {one["name"]: one for one in map(json.loads, lines)}


def shape(value: Answer) -> Answer:
    """What of JSON is the same in every collection: kinds of values, and names that are fixed."""
    if isinstance(value, dict):
        fixed = value.keys() & KNOWN
        if "cardId" in value:
            fixed -= {"fields", "modelName"}  # of these nothing is read
        return {k: shape(v) for k, v in value.items() if k in fixed} if fixed else "by name"
    if isinstance(value, list):
        return "list" if not value else [shape(value[0])]
    return type(value).__name__


KNOWN = frozenset(
    (
        *("result", "error", "noteId", "tags", "fields", "modelName", "cards", "value", "order"),
        *("permission", "requireApikey", "version", "scopes", "actions", "dyn", "cardId", "type"),
        *("due", "interval", "factor", "reps", "lapses"),
    )
)

NUMBERS = re.compile(r"\b17882640000\d\d\b")


def test_the_ankiconnect_of_the_tests_answers_as_the_real_one_did(
    studied: Connected, tmp_path: Path
) -> None:
    """In the same form; the texts of errors that are only shown may differ."""
    build.run(Request(studied.vault, tmp_path / "base.apkg"), build.export)
    (tmp_path / "corrupt.apkg").write_bytes(b"no zip")
    (tmp_path / "o2a-new.png").write_bytes(b"a picture")
    with studied.running() as server:
        notes = server.col.find_notes("")
        cards = server.col.find_cards("")
        for name, one in recorded().items():
            request = one["request"]
            if "action" not in request or name.startswith(("apiKey", "dialog", "multi", "error")):
                continue
            text = json.dumps(request)
            for number in sorted(set(NUMBERS.findall(text))):
                own = cards if '"card' in text else notes
                text = text.replace(number, str(own[int(number) % len(own)]))
            text = text.replace("/TMPDIR", str(tmp_path)).replace("obs2anki cloze", "Cloze")
            text = text.replace('"Vault', '"learning')
            told = server.reply(json.loads(text))
            assert (told["error"] is None) is (one["reply"]["error"] is None), name
            if name not in ("findNotes/notetype-both", "findCards/filtered", "findCards/suspended"):
                assert shape(told) == shape(one["reply"]), name
        for file in Path(server.do_getMediaDirPath()).iterdir():
            file.unlink()


def test_recorded_notes_are_read(both: Connected) -> None:
    replies = {name: one["reply"] for name, one in recorded().items()}

    def fields(modelName: str) -> Answer:
        return replies.get(f"modelFieldNames/{modelName}", result(["Front", "Back"]))

    def templates(modelName: str) -> Answer:
        return replies[f"modelTemplates/{modelName}"]

    def found(query: str) -> Answer:
        ordinal = {"card:1": [18], "card:2": [19]}
        for end, own in ordinal.items():
            if query.endswith(end):
                return result([1788264000000 + one for one in own])
        if query.endswith("is:suspended"):
            return replies["findCards/suspended"]
        if "did:" in query:
            return result([])
        return replies["findCards/filtered"]

    replaced = {
        "requestPermission": replies["requestPermission"],
        "apiReflect": replies["apiReflect/all"],
        "deckNamesAndIds": replies["deckNamesAndIds"],
        "modelNamesAndIds": replies["modelNamesAndIds"],
        "modelFieldNames": fields,
        "modelTemplates": templates,
        "getMediaFilesNames": replies["getMediaFilesNames"],
        "findNotes": replies["findNotes/notetype-both"],
        "notesInfo": replies["notesInfo/many"],
        "findCards": found,
        "getDecks": replies["getDecks"],
    }
    with (
        both.running(replaced=replaced) as server,
        AnkiConnect(server.url).session() as anki,
    ):
        holding = anki.read("demo")
    cloze = next(one for one in holding.notes if one.notetype is Notetype.CLOZE)
    assert cloze.fields["Text"] == "The {{c1::cell}} has a {{c2::nucleus::part}}."
    assert [one.ordinal for one in cloze.cards] == [0, 1]
    assert cloze.cards[0].deck == "Vault::Cloze"
    assert "o2a-pic.png" in holding.media
    assert len(holding.notes) == 3


@pytest.mark.parametrize("name", ["importPackage/missing", "storeMediaFile/path-missing"])
def test_a_file_that_anki_cannot_see_is_known_by_its_name(name: str) -> None:
    one = recorded()[name]
    file = Path(one["request"]["params"]["path"])
    assert ankiconnect._names_file(one["reply"]["error"], file)
    other = recorded()["importPackage/corrupt"]["reply"]["error"]
    assert not ankiconnect._names_file(other, file)


# ---------------------------------------------------------------- the command


def test_the_command_syncs_with_the_anki_that_runs(
    both: Connected, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    both.write(FIRST)
    monkeypatch.setenv("OBS2ANKI_ANKICONNECT_KEY", KEY)
    with both.running(key=KEY) as server:
        arguments = [str(both.vault), "--connect", server.url]
        assert "A sync would leave: 3 added." in run(["sync", *arguments, "--dry-run"], capsys).out
        assert "Anki follows the vault: 3 added." in run(["sync", *arguments], capsys).out
        assert "already: 3 unchanged." in run(["sync", *arguments], capsys).out
        both.write({"a.md": "new;;one"})
        assert "2 suspended" in run(["sync", *arguments], capsys).out
        pruned = run(["prune", *arguments, "--yes", "--force"], capsys)
        assert (pruned.code, "2 notes deleted from Anki." in pruned.out) == (0, True)
        assert "Backup" not in pruned.out
    with both.anki() as col:
        assert fronts(col) == ["new"]


def test_what_anki_does_not_keep_is_told_and_is_no_success(
    studied: Connected, capsys: pytest.CaptureFixture[str]
) -> None:
    studied.write({"a.md": FIRST["a.md"].replace("one", "two")})
    with studied.running() as server:
        open_in_an_editor(server, "new")
        told = run(["sync", str(studied.vault), "--connect", server.url], capsys)
    assert told.code == 2
    assert f"a.md:8: {ankiconnect.UNDONE}" in told.out


@pytest.mark.parametrize("other", [["--server"], ["--collection", "x"], ["--profile", "x"]])
def test_one_anki_is_named(
    both: Connected, other: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = run(["sync", str(both.vault), "--connect", *other], capsys)
    assert told.code == 2
    assert "three ways" in " ".join(told.err.split())
