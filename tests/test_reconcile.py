"""What sync does to which note: the vault and Anki in, deeds out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from msgspec import structs

from obs2anki import identity
from obs2anki.data import (
    NEW,
    CardState,
    DeckName,
    Entry,
    Guid,
    Media,
    Note,
    Notetype,
    Plan,
    Scheduling,
)
from obs2anki.deeds import (
    ORPHAN_TAG,
    CardId,
    Change,
    Changes,
    Holding,
    Limit,
    Move,
    Prefer,
    Verb,
    package,
)
from obs2anki.reconcile import NOTHING_MORE, State, Wishes, changes, orphans, state
from tests.holdings import entry, held, holding, stated, vault
from tests.plans import note

DUE = Scheduling(CardState.REVIEW, date(2024, 4, 20), interval=14, factor=2320, reps=1)


def done(
    plan: Plan, there: Holding, known: Sequence[Entry] = (), wishes: Wishes = NOTHING_MORE
) -> Changes:
    return changes(plan, there, known, wishes)[0]


def only(plan: Plan, there: Holding, known: Sequence[Entry] = (), **wishes: object) -> Change:
    """The one change; nothing else is to be done."""
    asked = Wishes(**wishes)  # type: ignore[arg-type]  # named by the tests below
    result = done(plan, there, known, asked)
    assert not result.added and len(result.changed) == 1
    return result.changed[0]


def state_of(change: Change) -> State:
    return state(change.fields["State"])


def wanted(one: Note) -> State:
    return state(dict(zip(held(one).fields, held(one).fields.values(), strict=True))["State"])


# ---------------------------------------------------------------- first meeting


def test_what_anki_does_not_have_is_added_with_its_scheduling() -> None:
    result = done(vault(note("a", DUE), note("b")), holding())
    assert [add.note.guid for add in result.added] == ["a", "b"]
    assert result.added[0].note.cards[0].scheduling == DUE
    assert result.added[0].verbs == (Verb.ADD,)
    assert (result.added[0].place.path, result.added[0].place.line) == ("a.md", 1)


def test_what_anki_has_already_is_not_added() -> None:
    result = done(vault(note("a"), note("b")), holding(held(note("a"))))
    assert [add.note.guid for add in result.added] == ["b"]
    assert [one.guid for one in result.unchanged] == ["a"]


def test_a_note_whose_guid_is_not_told_is_known_by_its_id() -> None:
    result = done(vault(note("a")), holding(held(note("a"), known_by_id=True)))
    assert not result.writes


def test_of_two_notes_with_one_id_the_oldest_is_ours() -> None:
    copies = (held(note("a"), known_by_id=True, number=n) for n in (1, 2))
    moved = note("a", deck="new")
    change = only(vault(moved), holding(*copies))
    assert change.held.id == 1


def test_a_guid_of_somebody_elses_note_is_left_alone_and_told() -> None:
    there = Holding(taken=frozenset((Guid("a"),)))
    result, found = changes(vault(note("a")), there)
    assert not result.writes
    assert [one.code for one in found] == ["O902"]


def test_a_note_that_became_of_another_notetype_is_left_alone_and_told() -> None:
    result, found = changes(vault(note("a")), holding(held(note("a", notetype=Notetype.CLOZE))))
    assert not result.writes
    assert [one.code for one in found] == ["O902"]


def test_a_note_without_state_that_says_the_same_is_taken_over() -> None:
    change = only(vault(note("a")), holding(held(note("a"), fields={"State": ""})))
    assert change.verbs == (Verb.UNCHANGED,)
    assert list(change.fields) == ["State"]


def test_a_note_without_state_that_says_something_else_is_a_conflict() -> None:
    there = held(note("a"), fields={"State": "", "Front": "mine"})
    assert only(vault(note("a")), holding(there)).verbs == (Verb.CONFLICT,)


# ---------------------------------------------------------------- fields

OLD = note("a", fields={"Front": "old", "Back": "answer"})
REWORDED = note("a", fields={"Front": "new", "Back": "answer"})


def test_nothing_changed_is_nothing_to_write() -> None:
    result = done(vault(OLD), holding(held(OLD)))
    assert not result.writes
    assert not result.changed


def test_a_flashcard_that_was_reworded_is_updated_in_what_differs() -> None:
    change = only(vault(REWORDED), holding(held(OLD)))
    assert change.verbs == (Verb.UPDATE,)
    assert sorted(change.fields) == ["Front", "State"]
    assert change.fields["Front"] == "new"
    assert state_of(change) == wanted(REWORDED)


def test_what_only_anki_edited_stays() -> None:
    assert not done(vault(OLD), holding(held(OLD, fields={"Front": "mine"}))).writes


def test_fields_of_the_users_are_never_written() -> None:
    there = held(OLD, fields={"Notes": "mine", "Spare 1": "mine", "Mnemonic": "mine"})
    change = only(vault(REWORDED), holding(there))
    assert sorted(change.fields) == ["Front", "State"]


def test_one_field_edited_here_and_another_in_anki_is_no_conflict() -> None:
    change = only(vault(REWORDED), holding(held(OLD, fields={"Back": "mine"})))
    assert change.verbs == (Verb.UPDATE,)
    assert sorted(change.fields) == ["Front", "State"]
    assert state_of(change) == wanted(REWORDED)


BOTH = held(OLD, fields={"Front": "mine"})


def test_where_both_edited_one_field_ankis_text_stays_and_both_are_shown() -> None:
    result, found = changes(vault(REWORDED), holding(BOTH))
    (change,) = result.changed
    assert change.verbs == (Verb.CONFLICT,)
    assert not change.writes and not result.writes
    assert [(c.field, c.vault, c.anki) for c in change.conflicts] == [("Front", "new", "mine")]
    assert [(one.code, one.line) for one in found] == [("O901", 1)]


def test_a_conflict_holds_up_neither_tags_nor_deck() -> None:
    moved = note("a", deck="new", tags=("t",), fields={"Front": "new", "Back": "answer"})
    change = only(vault(moved), holding(BOTH))
    assert set(change.verbs) == {Verb.CONFLICT, Verb.UPDATE, Verb.MOVE}
    assert "Front" not in change.fields
    assert state_of(change).fields == wanted(OLD).fields
    assert state_of(change).deck == wanted(moved).deck


def test_prefer_vault_writes_the_vaults_text() -> None:
    change = only(vault(REWORDED), holding(BOTH), prefer=Prefer.VAULT)
    assert change.fields["Front"] == "new"
    assert state_of(change) == wanted(REWORDED)


def test_prefer_anki_keeps_ankis_text_and_settles_it() -> None:
    change = only(vault(REWORDED), holding(BOTH), prefer=Prefer.ANKI)
    assert change.verbs == (Verb.UNCHANGED,)
    assert change.fields == {"State": str(wanted(REWORDED))}
    settled = held(OLD, fields={"Front": "mine"} | dict(change.fields))
    assert not done(vault(REWORDED), holding(settled)).writes


def test_the_same_edit_on_both_sides_is_no_conflict() -> None:
    change = only(vault(REWORDED), holding(held(OLD, fields={"Front": "new"})))
    assert change.verbs == (Verb.UNCHANGED,)
    assert list(change.fields) == ["State"]


def test_the_same_words_in_other_html_are_no_conflict() -> None:
    bold = note("a", fields={"Front": "a <strong>new</strong> one", "Back": "answer"})
    there = held(OLD, fields={"Front": "a&nbsp;<b>new</b> one"})
    change = only(vault(bold), holding(there))
    assert list(change.fields) == ["State"]
    assert change.conflicts == ()


def test_text_is_compared_as_anki_stores_it() -> None:
    decomposed = note("a", fields={"Front": "cafe\u0301 \x01", "Back": "answer"})
    composed = held(OLD, fields={"Front": "caf\u00e9 "})
    assert only(vault(decomposed), holding(composed)).verbs == (Verb.UNCHANGED,)


# ---------------------------------------------------------------- tags

TAGS = [
    # (written, in the vault now, in Anki, added, removed)
    ((), ("new",), (), ("new",), ()),
    (("old",), (), ("old",), (), ("old",)),
    (("old",), ("new",), ("old", "leech", "marked", "own"), ("new",), ("old",)),
    (("a", "b"), ("a",), ("b",), (), ("b",)),
    (("a", "b"), ("a",), ("a", "own"), (), ()),
    (("a",), ("a", "b"), ("A", "B"), (), ()),
    (("Old",), (), ("old",), (), ("old",)),
    (("to do",), (), ("to_do",), (), ("to_do",)),
]


@pytest.mark.parametrize(("written", "now", "anki", "added", "removed"), TAGS)
def test_only_tags_that_obs2anki_wrote_are_managed(
    written: tuple[str, ...],
    now: tuple[str, ...],
    anki: tuple[str, ...],
    added: tuple[str, ...],
    removed: tuple[str, ...],
) -> None:
    before = note("a", tags=written)
    change = only(vault(note("a", tags=now)), holding(held(before, tags=anki)), [entry(before)])
    assert (change.add_tags, change.remove_tags) == (added, removed)
    assert state_of(change).tags == wanted(note("a", tags=now)).tags


def test_tags_of_the_users_alone_are_no_change() -> None:
    there = held(note("a", tags=("t",)), tags=("leech", "own"))
    assert not done(vault(note("a", tags=("t",))), holding(there)).writes


def test_without_a_ledger_the_digest_tells_which_tags_were_written() -> None:
    there = held(note("a", tags=("old", "stays")), tags=("old", "own", "stays"))
    change = only(vault(note("a", tags=("stays",))), holding(there))
    assert (change.add_tags, change.remove_tags) == ((), ("old",))


def test_where_nothing_tells_which_tags_were_written_none_is_removed() -> None:
    there = held(note("a", tags=("old", "removed in Anki")), tags=("old",))
    change = only(vault(note("a", tags=("new",))), holding(there))
    assert (change.add_tags, change.remove_tags) == (("new",), ())


def test_a_note_with_a_hundred_tags_is_looked_at_in_no_time() -> None:
    tags = tuple(f"t{n}" for n in range(100))
    change = only(vault(note("a")), holding(held(note("a", tags=("x",)), tags=tags)))
    assert change.remove_tags == ()


# ---------------------------------------------------------------- decks


def test_a_card_is_moved_where_the_vault_moved_it() -> None:
    change = only(vault(note("a", deck="new")), holding(held(note("a", deck="old"))))
    assert change.verbs == (Verb.MOVE,)
    assert change.move == Move((change.held.cards[0].id,), DeckName("new"))
    assert state_of(change).deck == wanted(note("a", deck="new")).deck


def test_a_card_that_the_user_moved_stays_there() -> None:
    there = held(note("a", deck="old"), decks=("mine",))
    change = only(vault(note("a", deck="new")), holding(there, decks=("old", "mine")))
    assert change.move is None
    assert state_of(change).deck == wanted(note("a", deck="new")).deck


def test_of_two_cards_only_that_is_moved_which_the_user_left() -> None:
    there = held(note("a", NEW, NEW, deck="old"), decks=("old", "mine"))
    change = only(vault(note("a", NEW, NEW, deck="new")), holding(there))
    assert change.move == Move((there.cards[0].id,), DeckName("new"))


def test_a_deck_that_the_user_renamed_takes_what_is_new() -> None:
    there = held(note("a", deck="old"), decks=("renamed",))
    (add,) = done(vault(note("a", deck="old"), note("b", deck="old")), holding(there)).added
    assert add.note.deck == "renamed"


def test_a_new_deck_below_a_renamed_one_follows_it() -> None:
    there = held(note("a", deck="old::x"), decks=("renamed::x",))
    plan = vault(note("a", deck="old::x"), note("b", deck="old::y::z"))
    assert done(plan, holding(there)).added[0].note.deck == "renamed::y::z"


def test_a_card_of_a_renamed_deck_is_moved_out_of_it() -> None:
    first, second = note("a", deck="old"), note("b", deck="old")
    there = holding(held(first, decks=("renamed",)), held(second, decks=("renamed",), number=2))
    change = only(vault(note("a", deck="new"), second), there, [entry(first), entry(second)])
    assert change.move == Move((change.held.cards[0].id,), DeckName("new"))


def test_a_deck_is_the_same_in_capital_letters() -> None:
    there = held(note("a", deck="old"), decks=("OLD",))
    change = only(vault(note("a", deck="Old")), holding(there))
    assert change.move is None
    (add,) = done(vault(note("b", deck="old")), holding(there)).added
    assert add.note.deck == "OLD"


def test_a_card_in_a_filtered_deck_is_moved_once_it_is_back() -> None:
    moved = note("a", deck="new")
    there = held(note("a", deck="old"), filtered=True)
    assert not done(vault(moved), holding(there)).writes
    back = held(note("a", deck="old"))
    assert only(vault(moved), holding(back)).move is not None


def test_a_note_is_updated_while_its_card_is_in_a_filtered_deck() -> None:
    moved = note("a", deck="new", fields={"Front": "new", "Back": "answer"})
    change = only(vault(moved), holding(held(OLD, filtered=True)))
    assert change.verbs == (Verb.UPDATE,)
    assert state_of(change).deck == wanted(OLD).deck


# ---------------------------------------------------------------- cards


def test_a_sibling_comes_with_its_scheduling_and_nothing_else_is_touched() -> None:
    before = held(note("a"), tags=("own",), fields={"Notes": "mine"}, decks=("learning",))
    plan = vault(note("a", NEW, DUE))
    change = only(plan, holding(before))
    assert [(card.ordinal, card.scheduling) for card in change.siblings] == [(1, DUE)]
    assert change.fields["Reverse"] == "1"
    assert change.sibling_note is not None
    assert change.sibling_note.tags == ("own",)
    assert change.sibling_note.cards == change.siblings
    packed_plan = package(Changes(changed=(change,)), plan, 2)
    assert packed_plan.rollover == 2 and packed_plan.media == ()
    (packed,) = packed_plan.notes
    assert packed == change.sibling_note
    assert "mine" in packed.fields


def test_no_sibling_where_ankis_text_does_not_ask_it() -> None:
    old = note("a", notetype=Notetype.CLOZE, fields={"Text": "{{c1::x}}"})
    new = note("a", NEW, NEW, notetype=Notetype.CLOZE, fields={"Text": "{{c1::x}} {{c2::y}}"})
    change = only(vault(new), holding(held(old, fields={"Text": "{{c1::mine}}"})))
    assert change.verbs == (Verb.CONFLICT,)
    assert change.siblings == ()


def test_a_card_that_nothing_asks_any_more_sleeps_until_something_does() -> None:
    both = note("a", NEW, NEW)
    change = only(vault(note("a")), holding(held(both)))
    assert change.suspend == (held(both).cards[1].id,)
    assert state_of(change).asleep == {1}
    asleep = held(both, suspended=(1,), fields=change.fields)
    assert not done(vault(note("a")), holding(asleep)).writes
    back = only(vault(both), holding(asleep))
    assert back.wake == change.suspend
    assert state_of(back) == wanted(both)


def test_a_card_of_a_template_that_the_user_added_is_left_alone() -> None:
    there = held(note("a"))
    more = structs.replace(there.cards[0], id=CardId(7), ordinal=2)
    there = structs.replace(there, cards=(*there.cards, more))
    assert not done(vault(note("a")), holding(there)).writes


def test_a_card_that_the_user_suspended_is_not_woken() -> None:
    both = note("a", NEW, NEW)
    change = only(vault(note("a")), holding(held(both, suspended=(1,))))
    assert change.suspend == ()
    asleep = held(both, suspended=(1,), fields=change.fields)
    assert only(vault(both), holding(asleep)).wake == ()


def test_scheduling_is_never_given_to_a_card_that_is_there() -> None:
    assert not done(vault(note("a", DUE)), holding(held(note("a", NEW)))).writes


def test_reschedule_renews_cards_never_answered_in_anki() -> None:
    change = only(vault(note("a", DUE)), holding(held(note("a", NEW))), reschedule=True)
    assert change.verbs == (Verb.RESCHEDULE,)
    assert change.reschedule == ((change.held.cards[0].id, DUE),)


def test_reschedule_leaves_what_was_answered_what_agrees_and_what_the_vault_does_not_know() -> None:
    there = held(note("a", NEW))
    answered = structs.replace(there, cards=(structs.replace(there.cards[0], answered=True),))
    renew = Wishes(reschedule=True)
    assert not done(vault(note("a", DUE)), holding(answered), wishes=renew).writes
    assert not done(vault(note("a", DUE)), holding(held(note("a", DUE))), wishes=renew).writes
    assert not done(vault(note("a", NEW)), holding(held(note("a", DUE))), wishes=renew).writes


# ---------------------------------------------------------------- what has left


def test_an_orphan_is_suspended_and_tagged_and_nothing_else() -> None:
    gone = note("a", NEW, NEW, tags=("t",))
    change = only(vault(gone=(gone,)), holding(held(gone)))
    assert change.verbs == (Verb.SUSPEND,)
    assert change.suspend == tuple(card.id for card in change.held.cards)
    assert (change.add_tags, change.remove_tags) == ((ORPHAN_TAG,), ())
    assert list(change.fields) == ["State"]
    assert (change.place.path, change.place.line) == ("a.md", None)
    assert state_of(change) == replace(wanted(gone), orphan=True, asleep=frozenset((0, 1)))


def _as_orphan(gone: Note, **edited: object) -> Holding:
    change = only(vault(gone=(gone,)), holding(held(gone, **edited)))  # type: ignore[arg-type]
    return holding(
        held(
            gone,
            tags=(*gone.tags, ORPHAN_TAG),
            suspended=tuple(card.ordinal for card in gone.cards),
            fields=change.fields,
        )
    )


def test_an_orphan_is_dealt_with_once() -> None:
    gone = note("a")
    assert not done(vault(gone=(gone,)), _as_orphan(gone)).writes


def test_an_orphan_that_the_user_woke_is_left_alone() -> None:
    gone = note("a")
    change = only(vault(gone=(gone,)), holding(held(gone)))
    woken = held(gone, fields=change.fields)
    assert not done(vault(gone=(gone,)), holding(woken)).writes


def test_a_flashcard_that_is_back_wakes_its_note() -> None:
    gone = note("a", NEW, NEW, tags=("t",))
    change = only(vault(gone), _as_orphan(gone))
    assert change.verbs == (Verb.WAKE,)
    assert change.wake == tuple(card.id for card in change.held.cards)
    assert change.remove_tags == (ORPHAN_TAG,)
    assert state_of(change) == wanted(gone)


def test_what_the_user_had_suspended_stays_so_when_its_flashcard_is_back() -> None:
    gone = note("a", NEW, NEW)
    change = only(vault(gone), _as_orphan(gone, suspended=(0,)))
    assert change.wake == (change.held.cards[1].id,)


def test_a_flashcard_that_is_back_and_reworded_is_updated_too() -> None:
    change = only(vault(REWORDED), _as_orphan(OLD))
    assert set(change.verbs) == {Verb.WAKE, Verb.UPDATE}
    assert change.fields["Front"] == "new"


def test_what_the_ledger_does_not_know_is_no_orphan() -> None:
    stranger = held(note("stranger"))
    assert not done(vault(), holding(stranger)).writes
    assert orphans(vault(), holding(stranger)) == ()


def test_a_flashcard_that_is_in_the_vault_without_a_card_is_no_orphan() -> None:
    plan = vault(note("a"))
    asks_nothing = replace(plan, planned=tuple(structs.replace(p, note=None) for p in plan.planned))
    assert not done(asks_nothing, holding(held(note("a")))).writes


def test_prune_removes_orphans_alone() -> None:
    there = holding(held(note("a")), held(note("gone"), number=2), held(note("other"), number=3))
    found = orphans(vault(note("a"), gone=(note("gone"),)), there)
    assert [one.held.id for one in found] == [2]


# ---------------------------------------------------------------- media


def _with_media(*names: str) -> Plan:
    one = structs.replace(
        note("a", fields={"Front": '<img src="cat-1.png">'}), media=("cat-1.png",)
    )
    files = tuple(Media(name, Path(name), 1) for name in names)
    return replace(vault(one), media=files)


def test_media_that_anki_lacks_are_added() -> None:
    result = done(_with_media("cat-1.png"), holding())
    assert [item.name for item in result.media] == ["cat-1.png"]


def test_media_that_anki_has_are_not_written_again() -> None:
    plan = _with_media("cat-1.png")
    there = Holding(holding(held(plan.notes[0])).notes, media=frozenset(("cat-1.png",)))
    assert not done(plan, there).writes


def test_media_that_got_lost_in_anki_come_back() -> None:
    plan = _with_media("cat-1.png")
    assert done(plan, holding(held(plan.notes[0]))).media == plan.media


def test_media_that_the_user_took_out_of_a_note_stay_out() -> None:
    plan = _with_media("cat-1.png")
    assert not done(plan, holding(held(plan.notes[0], fields={"Front": "no cat"}))).writes


# ---------------------------------------------------------------- deck options


def test_every_deck_with_cards_of_the_vault_gets_the_longest_interval() -> None:
    plan = vault(note("a", deck="old"), note("b", deck="short"), note("c", deck="new"))
    there = replace(
        holding(held(note("a", deck="old")), held(note("b", deck="short"), number=2)),
        longest={DeckName("old"): 36500, DeckName("short"): 365, DeckName("mine"): 36500},
    )
    assert done(plan, there).limits == ()
    limits = done(plan, there, wishes=Wishes(longest=365)).limits
    assert limits == (Limit(DeckName("new"), 365), Limit(DeckName("old"), 365))


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    "text",
    ["1 2 3", "1 2 3 orphan:", "1 2 3 orphan:0,4", "1 2 3 asleep:1"],
)
def test_state_is_read_as_it_was_written(text: str) -> None:
    assert str(state(text)) == text


@pytest.mark.parametrize("text", ["", " ", "x", "1 2 3 4 5 6", "1 2 3 asleep:x,²,-1"])
def test_a_state_that_somebody_edited_is_read_without_complaint(text: str) -> None:
    assert state(text).asleep == frozenset()


def test_ten_thousand_unchanged_notes_are_compared_without_a_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes = [note(str(n), position=n + 1) for n in range(100)]
    plan, there = vault(*notes), holding(*(held(one, number=n) for n, one in enumerate(notes)))
    asked: list[tuple[str, ...]] = []
    real = identity.digest

    def digest(*texts: str) -> str:
        asked.append(texts)
        return real(*texts)

    monkeypatch.setattr(identity, "digest", digest)
    assert not done(plan, there).writes
    assert len(asked) < 10


def test_a_hand_made_state_is_that_of_a_plan() -> None:
    assert stated(note("a")).fields != note("a").fields
