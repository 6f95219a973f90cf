"""What matters in a package: the same from a plan, from rows as they go by, and from the file."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from obs2anki.data import NEW, CardState, Plan, Scheduling
from obs2anki.destinations import anki2
from obs2anki.destinations.contents import Contents, Filled, contents
from obs2anki.destinations.package import Package
from tests.plans import note, plan, reviewed

MEDIA = {"a-1.png": 7}
DUE = reviewed(date(2024, 4, 25), date(2024, 5, 1), UTC)
MADE = replace(
    plan(note("a", DUE, NEW, tags=("one", "two")), note("b", DUE, deck="x::y"), note("c", NEW)),
    revlog=True,
)

SCHEDULINGS = st.builds(
    Scheduling,
    st.sampled_from(CardState),
    st.none() | st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    st.none() | st.integers(1, 1 << 32),
    st.integers(0, 36_500),
    st.integers(0, 9999),
    st.integers(0, 99),
    st.integers(0, 99),
    st.none() | st.integers(1, 1 << 32),
    st.none() | st.floats(0.01, 36_500),
    st.none() | st.floats(1, 10),
)
CARDS = st.lists(SCHEDULINGS, min_size=1, max_size=3)
DECKS = st.sampled_from(["Default", "a", "a::b", "A::B", "ü"])
TAGS = st.lists(st.sampled_from(["a", "A", "b::c", "ß", "ss"]), max_size=3).map(tuple)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A plan of a few notes, with anything that a plan may say of them."""
    notes = [
        note(guid, *draw(CARDS), deck=draw(DECKS), tags=draw(TAGS), mod=draw(st.integers(1, 9)))
        for guid in draw(st.lists(st.text("abc\U0001f600", min_size=1), max_size=4, unique=True))
    ]
    return replace(plan(*notes), revlog=draw(st.booleans()), rollover=draw(st.integers(0, 23)))


@contextmanager
def collection(made: Plan, filled: Filled | None = None) -> Iterator[sqlite3.Connection]:
    """The collection of a plan, as whoever reads the file has it."""
    with (
        closing(anki2.database(made, filled)) as written,
        closing(sqlite3.connect(":memory:")) as read,
    ):
        read.deserialize(b"".join(written.pieces()))
        assert written.contents(MEDIA) == contents(read, MEDIA)
        yield read


def held(made: Plan, filled: Filled | None = None) -> Contents:
    """What matters in the collection of a plan."""
    with collection(made, filled) as read:
        return contents(read, MEDIA)


@given(plans())
def test_a_plan_says_what_its_package_will_hold(made: Plan) -> None:
    assert anki2.contents(made, MEDIA) == held(made)


@given(plans(), plans(), st.sets(st.integers(0, 3)))
def test_what_was_told_of_the_last_notes_changes_nothing(
    before: Plan, after: Plan, kept: set[int]
) -> None:
    filled = Filled()
    filled.keep(before, held(before))
    same = [one for index, one in enumerate(before.notes) if index in kept]
    guids = {one.guid for one in same}
    made = plan(*same, *(one for one in after.notes if one.guid not in guids))
    assert held(made, filled) == held(made)
    assert filled.contents_of(made) in (None, held(made))
    assert filled.contents_of(replace(before)) == held(before)


@pytest.mark.parametrize(
    "change",
    [
        "notes SET guid = guid || 'x'",
        "notes SET mid = mid + 1",
        "notes SET mod = mod + 1",
        "notes SET tags = tags || 'x '",
        "notes SET flds = flds || 'x'",
        "cards SET did = did + 1",
        "cards SET ord = ord + 7",
        "cards SET type = 1 - type",
        "cards SET queue = -1",
        "cards SET due = due + 1",
        "cards SET ivl = ivl + 1",
        "cards SET factor = factor + 1",
        "cards SET reps = reps + 1",
        "cards SET lapses = lapses + 1",
        "cards SET left = left + 1",
        "cards SET odue = odue + 1",
        "cards SET odid = odid + 1",
        "cards SET flags = flags + 1",
        "cards SET data = data || 'x'",
        "revlog SET id = id + 1",
        "revlog SET ease = ease - 1",
        "revlog SET ivl = ivl + 1",
        "revlog SET lastIvl = lastIvl + 1",
        "revlog SET factor = factor + 1",
        "revlog SET time = time + 1",
        "revlog SET type = type + 1",
        "col SET crt = crt + 1",
        "col SET conf = conf || ' '",
        "col SET models = models || ' '",
        "col SET decks = decks || ' '",
    ],
)
def test_what_an_import_would_bring_matters(change: str) -> None:
    with collection(MADE) as read:
        table, _, setting = change.partition(" ")
        last = read.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0]
        read.execute(f"UPDATE {table} {setting} WHERE rowid = {last}")
        assert contents(read, MEDIA) != held(MADE)


@pytest.mark.parametrize("change", ["DELETE FROM revlog", "DELETE FROM cards", "DELETE FROM notes"])
def test_what_is_not_there_matters(change: str) -> None:
    with collection(MADE) as read:
        read.execute(change)
        assert contents(read, MEDIA) != held(MADE)


REORDERED: dict[str, Callable[[Plan], Plan]] = {
    "ids": lambda made: plan(
        *(structs.replace(one, created=one.created + 60) for one in made.notes)
    ),
    "order": lambda made: plan(*made.notes[::-1]),
}


@pytest.mark.parametrize("change", REORDERED.values(), ids=REORDERED.keys())
def test_ids_and_their_order_do_not_matter(change: Callable[[Plan], Plan]) -> None:
    made = plan(note("a", DUE, NEW), note("b", DUE), note("c", NEW))
    assert held(change(made)) == held(made)


@given(st.lists(st.sampled_from([0, 1, 2]), max_size=5))
def test_what_a_process_delivered_last_changes_no_delivery(walk: list[int]) -> None:
    steps = [MADE, replace(MADE, revlog=False), plan(*MADE.notes[:2])]
    filled = Filled()
    with tempfile.TemporaryDirectory() as folder:
        told, other = Path(folder, "told.apkg"), Path(folder, "other.apkg")
        for step in walk:
            seen = Package(told, filled=filled).deliver(steps[step])
            assert seen == Package(other).deliver(steps[step])
            assert told.read_bytes() == other.read_bytes()


def test_a_deck_that_somebody_changed_is_delivered_again(tmp_path: Path) -> None:
    deck, filled = tmp_path / "deck.apkg", Filled()
    Package(deck, filled=filled).deliver(MADE)
    whole = deck.read_bytes()
    Package(deck).deliver(plan(*MADE.notes[:1]))
    assert Package(deck, filled=filled).deliver(MADE).added == 2
    assert deck.read_bytes() == whole
    assert not Package(deck, filled=filled).deliver(MADE).written
