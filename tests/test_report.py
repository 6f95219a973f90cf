"""What the user is told after a round."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from obs2anki import identity, ledger, prose, report
from obs2anki.build import Outcome, Round, Verdict
from obs2anki.data import (
    NEW,
    CardState,
    DeckName,
    Delivery,
    Diagnostic,
    Entry,
    Guid,
    LeftBehind,
    Media,
    Note,
    Plan,
    Renamed,
    Scheduling,
    Severity,
    Skipped,
    VaultPath,
)
from obs2anki.ledger import Ledger
from obs2anki.settings import Grammar, Settings
from obs2anki.wording import Wording
from tests.plans import note, plan

TODAY, TODAY_ZONE = date(2024, 5, 1), UTC
HERE = Wording("", ".")


def due(day: date, interval: int = 10) -> Scheduling:
    """A reviewed card."""
    return Scheduling(CardState.REVIEW, due=day, interval=interval, factor=2500, reps=1)


def outcome(
    *notes: Note,
    verdict: Verdict = Verdict.WRITTEN,
    new: set[str] | None = None,
    settings: Settings | None = None,
    **more: object,
) -> Outcome:
    """A round of these notes; all of them were added unless `new` says which."""
    planned: Plan = replace(plan(*notes), **more)  # type: ignore[arg-type]  # by name
    guids = frozenset(n.guid for n in notes) if new is None else frozenset(map(Guid, new))
    delivery = Delivery(
        added=len(guids),
        unchanged=len(notes) - len(guids),
        written=verdict is Verdict.WRITTEN,
        size=12_400,
        new_guids=guids,
    )
    round_ = Round(
        root=Path("vault"),
        settings=settings or Settings(),
        plan=planned,
        deck=Path("deck.apkg"),
        zone=TODAY_ZONE,
        today=TODAY,
    )
    return Outcome(round_, verdict, delivery)


def said(told: Outcome, wording: Wording = HERE) -> str:
    return prose.text(report.of(told), wording)


def left(cause: str, line: int = 1, path: str = "a.md", **more: object) -> LeftBehind:
    return LeftBehind(VaultPath(path), line, cause, **more)  # type: ignore[arg-type]  # by name


# ---------------------------------------------------------------- the table


def test_the_table_counts_by_deck_and_adds_up() -> None:
    text = said(
        outcome(
            note("1", due(TODAY), due(TODAY + timedelta(1)), deck="b"),
            note("2", NEW, deck="a::10"),
            note("3", due(date(2020, 1, 1)), deck="a::2"),
        )
    )
    assert text.split("\n\n")[0] == (
        "Deck   Flashcards  Cards  New  Reviewed  Due now\n"
        "a::2            1      1    0         1        1\n"
        "a::10           1      1    1         0        0\n"
        "b               1      2    0         2        1\n"
        "all             3      4    1         3        2"
    )


def test_columns_stand_below_each_other_in_every_script() -> None:
    first, second, third, *_ = said(
        outcome(note("1", deck="日本"), note("2", deck="abcd"))
    ).splitlines()
    assert second == "abcd           1      1    1         0        0"
    assert third == "日本           1      1    1         0        0"
    assert first == "Deck  Flashcards  Cards  New  Reviewed  Due now"


def test_due_now_counts_only_cards_that_were_not_delivered_before() -> None:
    told = report.of(outcome(note("1", due(TODAY)), note("2", due(TODAY)), new={"2"}))
    assert [row.due for row in told.decks] == [1]
    assert [row.reviewed for row in told.decks] == [2]


def test_what_is_told_again_of_the_same_notes_is_what_is_worked_out_anew() -> None:
    late = [note("a", due(TODAY - timedelta(days=200)), deck="a::b") for _ in range(300)]
    told = report.of(outcome(*late, note("b"), settings=Settings(maximum_interval=100)))
    assert len(told.advice) == 3 and told.total.due == 300
    left = (LeftBehind(VaultPath("a.md"), 3, "orphan", 1, "::"),)
    for more in ({}, {"left_behind": left}, {"skipped": (Skipped(VaultPath("b.md"), "empty"),)}):
        first = outcome(*late, note("b"), settings=Settings(maximum_interval=100), **more)
        delivery = Delivery(unchanged=len(late) + 1, size=12_400)
        settled = Outcome(first.round, Verdict.UNCHANGED, delivery)
        assert report.again(report.of(first), settled) == report.of(settled)


def test_decks_that_anki_takes_for_one_have_one_row() -> None:
    notes = (note("a", deck="Maths::sets"), note("b", deck="maths::Sets "), note("c", deck="maths"))
    rows = report.of(outcome(*notes)).decks
    assert [(row.deck, row.flashcards) for row in rows] == [("maths", 1), ("Maths::sets", 2)]


# ---------------------------------------------------------------- what changed


def test_a_first_export_has_no_changes_to_tell() -> None:
    assert "since the last export" not in said(outcome(note("1")))


def again(
    delivery: Delivery,
    *,
    verdict: Verdict = Verdict.WRITTEN,
    ledger: str | None = "vault/.obs2anki/ledger.jsonl",
    remembers: bool = True,
    **more: object,
) -> Outcome:
    """A re-export, with a ledger unless told otherwise."""
    told = outcome(note("1"), verdict=verdict, **more)  # type: ignore[arg-type]  # by name
    known = Ledger("obs2anki", "vault") if remembers else None
    round_ = replace(told.round, ledger=Path(ledger) if ledger else None, known=known)
    return replace(told, round=round_, delivery=delivery)


def first_paragraph(told: Outcome) -> list[str]:
    return said(told).split("\n\n")[0].split("\n")


def test_a_re_export_says_first_what_changed_and_what_anki_does_about_it() -> None:
    told = again(Delivery(3, 2, 2, 1204, written=True, size=5, newer=2))
    assert first_paragraph(told) == [
        "Notes since the last export: 3 added, 2 changed, 2 gone, 1,204 unchanged.",
        "  Anki will update the 2 changed notes: an import replaces all their fields and tags,"
        " your",
        "  own edits too.",
        "  Anki keeps the 2 notes that are gone until you delete them.",
    ]


def test_one_note_is_told_in_the_singular() -> None:
    told = again(Delivery(changed=1, newer=1, gone=1, written=True))
    assert anki_does(told) == (
        "Anki will update the changed note: an import replaces all its fields and tags, "
        "your own edits too. Anki keeps the note that is gone until you delete it."
    )


def test_only_notes_with_a_later_time_of_change_are_updated() -> None:
    told = again(Delivery(changed=3, newer=2, written=True))
    assert report.of(told).anki_updates == 2
    assert anki_does(told) == (
        "Anki will update 2 of the 3 changed notes: an import replaces all their fields and tags, "
        "your own edits too."
    )


def test_notes_that_differ_in_what_is_no_content_are_not_updated() -> None:
    told = again(Delivery(changed=2, written=True))
    assert report.of(told).anki_updates == 0
    assert anki_does(told) == (
        "Anki will update none of them: no flashcard changed, only their deck, the vault's name, "
        "or what obs2anki makes of it. Of the cards that it has, Anki keeps its own decks."
    )


def test_a_ledger_that_can_be_read_but_not_written_still_tells_what_changed() -> None:
    told = again(Delivery(changed=1, newer=1, written=True), ledger=None)
    assert anki_does(told).startswith("Anki will update the changed note")


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No vault takes a ledger."""
    monkeypatch.setattr(ledger, "is_writable", lambda _: False)


def anki_does(told: Outcome) -> str:
    return " ".join(" ".join(first_paragraph(told)[1:]).split())


ALWAYS = (
    "To take over the changed note, choose Update notes: Always in Anki's import dialog. That "
    "replaces all fields and tags of every note in the deck, your own edits too."
)


def test_without_a_ledger_an_import_updates_no_note() -> None:
    told = again(Delivery(changed=1, written=True), ledger=None, remembers=False)
    told = replace(told, round=replace(told.round, stateless=True))
    assert report.of(told).anki_updates == 0
    assert anki_does(told) == (
        "Anki will update none of them: without the ledger (--stateless) a deck adds notes and "
        f"never overwrites any. {ALWAYS}"
    )


@pytest.mark.usefixtures("read_only")
def test_a_vault_that_takes_no_ledger_is_told_so() -> None:
    told = again(Delivery(changed=1, written=True), ledger=None, remembers=False)
    assert report.of(told).anki_updates == 0
    assert anki_does(told) == (
        "Anki will update none of them: a vault that is read-only takes no ledger, and so a deck "
        f"never overwrites a note. {ALWAYS}"
    )
    assert "There is no ledger: vault/.obs2anki/ledger.jsonl cannot be written." in said(told)


def test_a_ledger_that_only_begins_knows_of_no_earlier_change() -> None:
    told = again(Delivery(changed=1, written=True), remembers=False)
    assert report.of(told).anki_updates == 0
    assert anki_does(told) == (
        "Anki will update none of them: the ledger begins with this export and knows of no "
        f"earlier change. {ALWAYS}"
    )


LOST = (
    "The deck was there, but no ledger. So nobody knows what became of 2 notes that it held: a "
    "flashcard that was reworded is a new note now. If the ledger was lost, bring it back (from "
    "git or a backup) and export again before you import the deck; or "
)
MOVE = "move the new one away and rebuild it:\n  obs2anki adopt . path/to/collection.anki2"
BEFORE = "rebuild it:\n  obs2anki adopt . deck.apkg"


@pytest.mark.parametrize(
    ("verdict", "remedy"), [(Verdict.WRITTEN, MOVE), (Verdict.PREVIEWED, BEFORE)]
)
def test_a_ledger_that_was_lost_is_missed_where_the_deck_held_other_notes(
    verdict: Verdict, remedy: str
) -> None:
    gone = Delivery(gone=2, written=True)
    sentences, command = f"{LOST}{remedy}".split("\n")
    told = said(again(gone, verdict=verdict, remembers=False))
    assert sentences in " ".join(told.split())
    assert f"\n{command}\n" in f"{told}\n"
    for kept in (again(gone), again(Delivery(changed=2, written=True), remembers=False)):
        assert "nobody knows" not in said(kept)


def test_a_round_among_many_tells_of_the_ledger_what_it_must() -> None:
    gone, same = Delivery(gone=2, written=True), Delivery(unchanged=1)
    assert prose.on_the_ledger(again(gone, remembers=False), ".", first=False) == LOST + MOVE
    assert prose.on_the_ledger(again(gone), "vault", first=True) == ""
    unwritable = again(same, ledger=None)
    assert prose.on_the_ledger(unwritable, "vault", first=False) == ""
    assert prose.on_the_ledger(unwritable, "vault", first=True) == (
        "The ledger vault/.obs2anki/ledger.jsonl cannot be written, so nothing is remembered. "
        "Give yourself the right to write there."
    )


@pytest.mark.parametrize("written", [True, False])
def test_new_dates_for_old_notes_are_told_as_what_they_are(written: bool) -> None:
    told = anki_does(again(Delivery(unchanged=1, written=written)))
    assert ("No note differs, but decks, review dates, notetypes or media do." in told) is written
    assert ("Anki keeps its own decks and dates." in told) is written


def test_a_deck_that_is_out_of_date_takes_the_same_options_again() -> None:
    stale = again(Delivery(unchanged=1, written=True, size=9), verdict=Verdict.OUT_OF_DATE)
    assert said(stale) == (
        "Notes since the last export: 0 added, 0 changed, 0 gone, 1 unchanged.\n"
        "  No note differs, but decks, review dates, notetypes or media do. Of the cards that it "
        "has,\n"
        "  Anki keeps its own decks and dates.\n"
        "\n"
        "deck.apkg is out of date. To write it, give the same command without --check."
    )


# ---------------------------------------------------------------- what the ledger knows


def entries(count: int) -> tuple[Entry, ...]:
    """As many flashcards as the ledger remembers."""
    flashcards = [
        planned.flashcard for planned in plan(*(note(str(n)) for n in range(count))).planned
    ]
    assigned, _ = identity.assign(flashcards, "obs2anki", ())
    fates = [identity.Fate(DeckName("a"), "x", 1, 1, ()) for _ in flashcards]
    return identity.remembered(flashcards, assigned, fates, (), TODAY)


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (1, "1 flashcard has left the vault. An import cannot delete its note:"),
        (3, "3 flashcards have left the vault. An import cannot delete their notes:"),
    ],
)
def test_flashcards_that_have_left_are_told_with_how_to_find_them(
    count: int, sentence: str
) -> None:
    told = again(Delivery(gone=count, written=True), left=entries(count))
    text = said(told, Wording("my vault/", "my vault"))
    assert text.split("\n\n")[1] == (
        f"{sentence}\n  obs2anki list 'my vault' --gone\n"
        "shows what has left, and how to find it in Anki."
    )
    assert "Anki keeps the" not in text


@pytest.mark.parametrize(
    ("notes", "changed", "told"), [(57, 60, True), (21, 500, True), (20, 500, False), (2, 3, True)]
)
def test_a_mass_change_with_one_cause_is_announced_as_that(
    notes: int, changed: int, told: bool
) -> None:
    renamed = (Renamed("A", "B/C", notes), Renamed("x.md", "y.md", 1))
    lines = first_paragraph(
        again(Delivery(changed=changed, newer=changed, written=True), renamed=renamed)
    )
    cause = f"  {notes} notes changed only because the folder A is now B/C."
    assert (lines[1] == cause) is told
    assert "y.md" not in "".join(lines)


def test_a_document_that_was_renamed_is_called_that() -> None:
    lines = first_paragraph(
        again(Delivery(changed=1, newer=1, written=True), renamed=(Renamed("x.md", "z/y.md", 1),))
    )
    assert lines[1] == "  1 note changed only because the document x.md is now z/y.md."


@pytest.mark.parametrize(
    ("verdict", "remembers", "told"),
    [
        (Verdict.WRITTEN, False, True),
        (Verdict.UNCHANGED, False, True),
        (Verdict.WRITTEN, True, False),
        (Verdict.PREVIEWED, False, False),
    ],
)
def test_the_first_export_tells_where_the_ledger_is(
    verdict: Verdict, remembers: bool, told: bool
) -> None:
    text = said(again(Delivery(added=1, written=True), verdict=verdict, remembers=remembers))
    assert ("The ledger is vault/.obs2anki/ledger.jsonl.\n" in text) is told
    assert ("commit or sync it" in text) is told


def test_programs_are_told_what_the_ledger_knows() -> None:
    told = again(
        Delivery(changed=3, newer=3, gone=2, written=True),
        left=entries(2),
        renamed=(Renamed("A", "B", 3),),
    )
    read = json.loads(report.as_json(report.of(told)))
    assert read["ledger"] == "vault/.obs2anki/ledger.jsonl"
    assert (read["gone"], read["delivery"]["gone"]) == (2, 2)
    assert read["renamed"] == [{"old": "A", "new": "B", "notes": 3}]
    assert read["delivery"]["anki_updates"] == 3


# ---------------------------------------------------------------- what was left behind


def test_each_cause_has_an_example_and_what_would_bring_it_in() -> None:
    text = said(
        outcome(
            note("1"),
            left_behind=(
                left("no-tag", 7, "b/c.md", reviews=2),
                left("no-tag", 9, "b/d.md", reviews=3),
                left("ignored", 4, "Templates/x.md"),
            ),
        ),
        Wording("vault/", "vault"),
    )
    assert text.split("\n\n")[1] == (
        "Left behind: 6 reviews in 3 documents were not exported.\n"
        "  5 reviews: no flashcard tag, for example vault/b/c.md:7\n"
        "    To take every document that holds a review, write in obs2anki.toml:\n"
        "    [select]\n"
        "    reviewed = true\n"
        "  1 review: in an ignored folder or with an ignored tag, for example "
        "vault/Templates/x.md:4\n"
        "    To read it after all, write in obs2anki.toml:\n"
        "    [grammar]\n"
        "    folders_to_ignore = []\n"
        "    tags_to_ignore = []"
    )


def test_a_missing_separator_is_named() -> None:
    some = [left("no-separator", n, separator=mark) for n, mark in enumerate(("->", "→", "→"))]
    text = said(outcome(note("1"), left_behind=tuple(some)))
    assert '    [grammar]\n    single_line = "→"\n' in text


@pytest.mark.parametrize(
    ("orphans", "separator", "named"),
    [
        (5, "=>", None),
        (6, "=>", '[grammar]\n    single_line = "=>"'),
        (6, ";;;", '[grammar]\n    single_line_reversed = ";;;"'),
        (6, None, None),
        (6, "::", None),
    ],
)
def test_more_than_five_percent_orphans_name_the_likely_separator(
    orphans: int, separator: str | None, named: str | None
) -> None:
    items = tuple(left("orphan", n, separator=separator) for n in range(orphans))
    other = left("no-tag", 1, reviews=100 - orphans)
    text = said(
        outcome(
            note("1"),
            left_behind=(*items, other),
            settings=Settings(grammar=Grammar(single_line="::")),
        )
    )
    assert (named in text) if named else ("your separator" not in text)


def test_a_separator_above_few_of_the_orphans_is_not_named() -> None:
    items = (
        *(left("orphan", n) for n in range(95)),
        *(left("orphan", 95 + n, separator="->") for n in range(5)),
    )
    assert "->" not in said(outcome(note("1"), left_behind=items))
    many = (*items, left("orphan", 100, separator="->"))
    assert "below a line with -> in it" in said(outcome(note("1"), left_behind=many))


def test_a_remedy_names_the_separator_of_most_reviews_only() -> None:
    def remedied(reviews: int) -> str:
        items = (
            left("no-separator", 1, reviews=2),
            left("no-separator", 2, reviews=reviews, separator="=>"),
        )
        return said(outcome(note("1"), left_behind=items))

    assert 'single_line = "..."' in remedied(2)
    assert 'single_line = "=>"' in remedied(3)


def test_nothing_left_behind_is_not_mentioned() -> None:
    assert "behind" not in said(outcome(note("1")))


def test_a_vault_that_yields_nothing_says_why() -> None:
    empty = outcome(
        verdict=Verdict.EMPTY,
        left_behind=(left("no-tag", 7, reviews=2),),
        skipped=(
            Skipped(VaultPath("a.md"), "no flashcard tag"),
            Skipped(VaultPath("b.md"), "no flashcard tag"),
            Skipped(VaultPath("c.md"), "no flashcard in it"),
        ),
    )
    assert said(replace(empty, delivery=None), Wording("my vault/", "my vault")) == (
        "Left behind: 2 reviews in 1 document were not exported.\n"
        "  2 reviews: no flashcard tag, for example my vault/a.md:7\n"
        "    To take every document that holds a review, write in obs2anki.toml:\n"
        "    [select]\n"
        "    reviewed = true\n"
        "\n"
        "No flashcards were found in my vault, so no deck was written.\n"
        "  2 documents: no flashcard tag, for example my vault/a.md\n"
        "    The flashcard tags in force are: #flashcards\n"
        "  1 document: no flashcard in it, for example my vault/c.md\n"
        "The separators in force are: :::  ::  ?  ??\n"
        "To see all settings: obs2anki config 'my vault'"
    )


# ---------------------------------------------------------------- where the deck is


def test_the_deck_s_place_and_size_are_told() -> None:
    media = (Media("a.png", Path("a"), 1_500_000), Media("b.png", Path("b"), 700_000))
    assert "The deck is deck.apkg (1 note, 2 media files of 2.2 MB, 12.4 KB in all)." in said(
        outcome(note("1"), media=media)
    )


def test_the_largest_media_are_named_as_the_vault_names_them() -> None:
    sizes = {"a.png": 900_000, "b.mp4": 40_000_000, "c.png": 1_000_000, "d.mp3": 2_500_000}
    sizes |= {"e.mp3": 2_400_000}
    media = tuple(
        Media(f"{name}-0", Path("vault/files") / name, size) for name, size in sizes.items()
    )
    told = said(outcome(note("1"), media=media))
    assert (
        "Largest media: files/b.mp4 (40.0 MB), files/d.mp3 (2.5 MB), files/e.mp3 (2.4 MB).\n"
    ) in told
    fetched = (Media("b-0.mp4", Path("/cache/0.mp4"), 40_000_000),)
    assert "Largest media: b-0.mp4 (40.0 MB).\n" in said(outcome(note("1"), media=fetched))
    small = (Media("a.png", Path("vault/a.png"), 900_000),)
    assert "Largest" not in said(outcome(note("1"), media=small))


@pytest.mark.parametrize(
    ("size", "told"),
    [(999, "999 bytes"), (1000, "1.0 KB"), (26_200_000, "26.2 MB"), (3 * 10**9, "3.0 GB")],
)
def test_sizes_are_in_units_that_people_use(size: int, told: str) -> None:
    one = outcome(note("1"))
    assert one.delivery is not None
    assert f", {told} in all)" in said(replace(one, delivery=replace(one.delivery, size=size)))


@pytest.mark.parametrize(
    ("scheduling", "new", "told"),
    [(due(TODAY), {"1"}, True), (NEW, {"1"}, False), (due(TODAY), set[str](), False)],
)
def test_the_box_to_tick_is_told_if_there_is_progress_to_import(
    scheduling: Scheduling, new: set[str], told: bool
) -> None:
    text = said(outcome(note("1", scheduling), new=new))
    assert ('tick "Import any learning progress"' in text) is told


# ---------------------------------------------------------------- advice


def backlog(deck: str, cards: int, day: date = TODAY) -> list[Note]:
    return [note(f"{deck}{n}", due(day, interval=9999), deck=deck) for n in range(cards)]


def advised(*notes: Note, **more: object) -> list[tuple[str, str | None, int | None]]:
    told = report.of(outcome(*notes, **more)).advice  # type: ignore[arg-type]  # by name
    return [(advice.about, advice.deck, advice.cards) for advice in told]


def test_there_is_no_advice_without_a_reason() -> None:
    assert advised(*backlog("a", 200)) == []
    assert "Before your first review" not in said(outcome(*backlog("a", 200)))


def test_a_backlog_is_told_with_its_oldest_day() -> None:
    notes = [*backlog("a", 200), *backlog("a", 1, date(2023, 2, 3)), *backlog("b", 9)]
    assert advised(*notes) == [("backlog", "a", 201)]
    text = said(outcome(*[structs.replace(n, guid=Guid(str(i))) for i, n in enumerate(notes)]))
    assert "  - In a, 201 cards are due now, the oldest since 2023-02-03. Anki shows no" in text


def test_a_backlog_that_anki_has_already_is_not_told() -> None:
    assert advised(*backlog("a", 300), new=set()) == []


@pytest.mark.parametrize(
    ("decks", "named"),
    [
        ({"a::b": 150, "a::c": 150}, [("backlog", "a", 300)]),
        ({"a": 0, "a::b": 201}, [("backlog", "a::b", 201)]),
        ({"a": 1, "a::b": 201}, [("backlog", "a", 202)]),
        ({"a": 250, "b": 250}, [("backlog", "a", 250), ("backlog", "b", 250)]),
    ],
)
def test_a_backlog_belongs_to_the_deck_that_anki_limits(
    decks: dict[str, int], named: list[tuple[str, str, int]]
) -> None:
    notes = [one for deck, cards in decks.items() for one in backlog(deck, cards)]
    assert advised(*notes) == named


@pytest.mark.parametrize(("days", "told"), [(None, False), (365, True), (36500, False)])
def test_a_shorter_maximum_interval_is_told(days: int | None, told: bool) -> None:
    text = said(outcome(note("1"), settings=Settings(maximum_interval=days)))
    assert ("more than 365 days" in text) is told
    assert ("Advanced > Maximum" in text.replace("\n    ", " ")) is told


@pytest.mark.parametrize(
    ("late", "in_time", "told"), [(20, 79, True), (19, 0, False), (20, 80, False)]
)
def test_many_cards_later_than_their_interval_call_for_fsrs(
    late: int, in_time: int, told: bool
) -> None:
    schedulings = [due(TODAY - timedelta(11))] * late + [due(TODAY - timedelta(10))] * in_time
    notes = [note(str(n), scheduling) for n, scheduling in enumerate(schedulings)]
    assert advised(*notes) == ([("fsrs", None, late)] if told else [])


def test_advice_is_not_repeated_for_cards_that_anki_has() -> None:
    notes = [note(str(n), due(TODAY - timedelta(300))) for n in range(300)]
    assert advised(*notes, new=set(), settings=Settings(maximum_interval=365)) == []


def test_json_holds_everything() -> None:
    message = "50% is,\nodd: so"
    found = Diagnostic(VaultPath("a.md"), 9, 2, "O401", Severity.WARNING, message, "Do this.")
    told = json.loads(
        report.as_json(
            report.of(
                outcome(
                    *backlog("a", 201),
                    left_behind=(left("orphan", 3, separator="=>"),),
                    skipped=(Skipped(VaultPath("b.md"), "no flashcard tag"),),
                    diagnostics=(found,),
                    media=(Media("a.png", Path("a"), 15),),
                )
            )
        )
    )
    (advice,) = told.pop("advice")
    assert (advice["about"], advice["cards"], advice["since"]) == ("backlog", 201, "2024-05-01")
    assert told == {
        "version": 1,
        "vault": "vault",
        "deck": "deck.apkg",
        "outcome": "written",
        "size": 12_400,
        "ledger": None,
        "gone": 0,
        "renamed": [],
        "delivery": {
            "added": 201,
            "changed": 0,
            "gone": 0,
            "unchanged": 0,
            "written": True,
            "anki_updates": 0,
        },
        "decks": [
            {
                "deck": "a",
                "flashcards": 201,
                "cards": 201,
                "new": 0,
                "reviewed": 201,
                "due": 201,
                "since": "2024-05-01",
            }
        ],
        "media": {
            "files": 1,
            "bytes": 15,
            "largest": [{"file": "a.png", "bytes": 15}],
            "online": 0,
        },
        "left_behind": {
            "reviews": 1,
            "documents": 1,
            "likely_separator": "=>",
            "causes": [
                {
                    "cause": "orphan",
                    "reviews": 1,
                    "documents": 1,
                    "path": "a.md",
                    "line": 3,
                    "remedy": "Put the comment directly below its flashcard",
                }
            ],
        },
        "skipped": [{"reason": "no flashcard tag", "documents": 1, "path": "b.md"}],
        "diagnostics": [
            {
                "path": "a.md",
                "line": 9,
                "column": 2,
                "code": "O401",
                "severity": "warning",
                "message": "50% is,\nodd: so",
                "hint": "Do this.",
            }
        ],
    }
