"""The laws, for any vault: stated as properties."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from obs2anki import build, cloze, extract, identity, plan, review
from obs2anki.data import Entry, Note, Plan
from obs2anki.destinations.package import Package
from obs2anki.media import Library
from obs2anki.settings import Settings
from tests import written

CLOCK = plan.Clock(date(2024, 6, 1), UTC)

SETTINGS = Settings()

# ---------------------------------------------------------------- what people write

WORDS = """
    Oslo Norway cell #flashcards #flashcards/a #todo ==x== ==1;;a== ==has;;b== **b** `c::d` $a$
    [[link|text]] ![[x.png]] ^id :: ::: ? ?? - > | <b> </b> %% {{c1::z}} \u00e9 e\u0301 日本 \\
    ``` ~~~ <!-- --> <!--SR: --- # ## [!note] 1. != == ;; }} $$ \U0001f680
    #==x== #a==x==b <!--SR:!==x==,1,1--> ^==x== ==0;;x==
    > [!sr|card-metadata] <!--SR:!2024-05-01,3,250-->
"""
words = st.sampled_from([*WORDS.split(), "\t", "\u00a0", "\u2028", "\ufdd0", "\x00", "\r"])
lines = st.lists(words, max_size=8).map(" ".join)
texts = st.lists(lines, max_size=12).map("\n".join) | st.text(max_size=200)

plain = st.text("abcdefg äπ日,.", min_size=1, max_size=12).filter(lambda text: text.strip())
days = st.dates(date(1990, 1, 1), date(2090, 1, 1))
segments = st.builds(
    "!{},{},{}".format, days, st.integers(0, 40_000), st.integers(1, 999)
) | st.just("!2000-01-01,1,250")
comments = st.lists(segments, min_size=1, max_size=3).map(lambda s: f"<!--SR:{''.join(s)}-->")


@st.composite
def flashcard(draw: st.DrawFn) -> tuple[str, str, str]:
    """A flashcard with a review, with another review, and without one."""
    q, a, b = draw(plain), draw(plain), draw(plain)
    tag = draw(st.sampled_from(["", "#flashcards/x ", "#todo "]))
    block_id = draw(st.sampled_from(["", " ^id-1"]))
    body = draw(
        st.sampled_from(
            [
                f"{tag}{q}::{a}{block_id}",
                f"{tag}{q}:::{a}{block_id}",
                f"{tag}{q}\n?\n{a}\n{b}{block_id}",
                f"{q}\n{b}\n??\n{a}",
                f"{q} =={a}== and =={b}==",
                f"{q} ==2;;{a}== and ==1;;{b};;hint=={block_id}",
                f"{q}\n?\n```\n{a}\n```",
            ]
        )
    )
    placed = draw(
        st.sampled_from(["{0} {1}", "{0}\n{1}", "{0}\n> [!sr|card-metadata] \n> {1}"])
        if not body.endswith("```")
        else st.just("{0}\n{1}")
    )
    return (
        placed.format(body, draw(comments)),
        placed.format(body, draw(comments)),
        body,
    )


documents = st.lists(flashcard(), min_size=1, max_size=5)


def document(flashcards: list[tuple[str, str, str]], version: int) -> str:
    """A document of flashcards, each in one of its three versions."""
    return "#flashcards\n\n" + "\n\n".join(versions[version] for versions in flashcards) + "\n"


def planned(vault: dict[str, str], entries: Sequence[Entry] = (), now: int = 0) -> Plan:
    sources = tuple(written.source(text, path) for path, text in sorted(vault.items()))
    library = Library(
        Path("/vault").joinpath,
        [s.path for s in sources],
        SETTINGS.obsidian,
        100,
        lambda file: ("0" * 64, 1),
    )
    clock = replace(CLOCK, now=CLOCK.now + now)
    return plan.make(plan.Vault("Vault", sources), SETTINGS, library, clock, entries)


def content(note: Note) -> tuple[object, ...]:
    """All of a note but its scheduling and its line."""
    ordinals = tuple(card.ordinal for card in note.cards)
    return (note.guid, note.notetype, note.fields, note.deck, note.tags, note.mod, ordinals)


# ---------------------------------------------------------------- the laws


@given(texts)
def test_any_text_can_be_planned_and_findings_point_into_it(text: str) -> None:
    made = planned({"a.md": "#flashcards\n" + text})
    lines = re.split("\r\n|\r|\n", "#flashcards\n" + text)
    assert all(1 <= found.line <= len(lines) for found in made.diagnostics)
    assert all(1 <= p.flashcard.line <= p.flashcard.end_line for p in made.planned)
    guids = [p.guid for p in made.planned]
    assert len(set(guids)) == len(guids)


@given(texts)
def test_a_field_never_holds_a_marker_nor_ankis_separator(text: str) -> None:
    for note in planned({"a.md": "#flashcards\n" + text}).notes:
        joined = "".join(note.fields)
        assert not {cloze.OPEN, cloze.BODY, cloze.CLOSE, "\x1f", "\x00"} & set(joined)


@given(texts)
def test_a_cloze_note_has_a_card_for_each_number_that_its_text_asks(text: str) -> None:
    for made in planned({"a.md": "#flashcards\n" + text}).planned:
        if made.note is not None and made.flashcard.cloze is not None:
            asked = {number - 1 for number in cloze.numbers(made.note.fields[0])}
            assert {card.ordinal for card in made.note.cards} == asked
            assert max(asked) < made.flashcard.card_count


@given(documents)
def test_reviews_change_nothing_but_scheduling(flashcards: list[tuple[str, str, str]]) -> None:
    reviewed, later, never = (planned({"a.md": document(flashcards, v)}) for v in range(3))
    assert [content(note) for note in reviewed.notes] == [content(note) for note in never.notes]
    assert [content(note) for note in reviewed.notes] == [content(note) for note in later.notes]


@given(documents)
def test_every_review_is_exported_or_told(flashcards: list[tuple[str, str, str]]) -> None:
    text = document(flashcards, 0)
    made = planned({"a.md": text})
    exported = sum(
        p.flashcard.review(ordinal) is not None
        for p in made.planned
        for ordinal in range(p.flashcard.card_count)
    )
    written_down = extract.reviews_in(text)
    if exported < written_down:
        assert {d.code for d in made.diagnostics} & {"O401", "O403", "O404"}
    assert exported <= written_down


@given(st.dictionaries(st.sampled_from(["a.md", "b.md", "c/d.md", "c/e.md"]), documents))
def test_the_same_vault_gives_the_same_bytes_however_its_files_are_listed(
    vault: dict[str, list[tuple[str, str, str]]],
) -> None:
    decks = []
    for paths in (list(vault), list(reversed(vault))):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "vault"
            for path in ["z.md", *paths]:
                file = root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                text = document(vault[path], 0) if path in vault else "#flashcards\n\nQ::A"
                file.write_text(text, "utf-8")
            deck = Path(folder) / "deck.apkg"
            round_ = build.prepare(build.Request(root, deck))
            Package(deck).deliver(round_.plan)
            decks.append(deck.read_bytes())
    assert decks[0] == decks[1]


@given(texts)
def test_comments_are_cut_and_nothing_is_added(text: str) -> None:
    cut = review.without_comments(text)
    assert len(cut) <= len(text)
    assert not list(review.comments(cut)) or len(cut) == len(text)


vaults = st.dictionaries(
    st.sampled_from(["a.md", "b.md", "c/d.md", "c/e.md"]),
    documents.map(lambda flashcards: document(flashcards, 0)),
    max_size=3,
)


@given(st.lists(vaults, min_size=2, max_size=4))
def test_through_any_edits_no_guid_is_shared_and_planning_twice_changes_nothing(
    states: list[dict[str, str]],
) -> None:
    entries: Sequence[Entry] = ()
    for now, state in enumerate(states):
        made = planned(state, entries, now)
        guids = [p.guid for p in made.planned]
        assert len(set(guids)) == len(guids)
        again = planned(state, made.ledger, now + 100)
        assert [content(note) for note in again.notes] == [content(note) for note in made.notes]
        assert again.ledger == made.ledger
        assert {entry.guid for entry in entries} <= {entry.guid for entry in made.ledger}
        entries = made.ledger


@given(vaults, vaults)
def test_a_text_that_stands_once_before_and_after_keeps_its_guid_wherever_it_goes(
    before: dict[str, str], after: dict[str, str]
) -> None:
    first = planned(before)
    second = planned(after, first.ledger, 1)
    then, now = alone(first), alone(second)
    assert all(then[texts] == now[texts] for texts in then.keys() & now.keys())


def alone(made: Plan) -> dict[object, str]:
    """GUIDs by what is asked and answered, of what stands but once and under no block id."""
    texts = [(p.flashcard.cloze is None, identity.key(p.flashcard)) for p in made.planned]
    return {
        text: p.guid
        for p, text in zip(made.planned, texts, strict=True)
        if texts.count(text) == 1 and p.flashcard.anchor is None
    }
