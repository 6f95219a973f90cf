"""Anki's own engine imports our packages, and has to agree on every number."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from obs2anki import render
from obs2anki.ankitext import clean
from obs2anki.data import NEW, FsrsReview, Notetype, Sm2Review, VaultPath
from obs2anki.destinations.package import Package
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.notetypes import DEFINITIONS, FIELDS
from tests.anki_collection import (
    Import,
    answer_good,
    bring,
    card,
    cards,
    collection,
    complaints,
    everything,
    export,
    imports_in,
    queued,
    rendered,
    states,
    today,
)
from tests.packages import packed, rows
from tests.plans import LONG_AGO, media, note, plan, reviewed, scheduled

LOCAL = datetime.now().astimezone().tzinfo or UTC

ZONES = (
    "Pacific/Pago_Pago",  # UTC-11
    "America/Los_Angeles",
    "America/St_Johns",  # half an hour, with summer time
    "America/Sao_Paulo",
    "UTC",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Auckland",
    "Pacific/Chatham",  # UTC+12:45, with summer time
    "Pacific/Kiritimati",  # UTC+14
)

ROLLOVERS = (4, 20)
AGES = (0, 3 * 365)
LEARN_AHEAD = 20 * 60
"""Seconds before its time at which Anki shows a card in learning."""


def instant(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, 30, tzinfo=UTC)


def fsrs(due: datetime, state: int = 2, days: int = 3) -> FsrsReview:
    return FsrsReview(due, days if state == 2 else 0, 4.25, 5.5, state, 4, 1, None)


# ---------------------------------------------------------------- days


@pytest.mark.parametrize("zone", ZONES)
def test_a_due_date_is_the_date_in_the_note_in_every_zone(zone: str, tmp_path: Path) -> None:
    here = ZoneInfo(zone)
    now = datetime.now(here)
    sm2 = {
        f"sm2 {offset}": Sm2Review(now.date() + timedelta(offset), 14, 232)
        for offset in (-9000, -400, -31, -1, 0, 1, 2, 30, 200, 3650)
    }
    instants = {
        f"fsrs {offset} {hour}": fsrs(instant(now.date() + timedelta(offset), hour))
        for offset in (-150, -1, 1, 150)
        for hour in (0, 23)
    }
    notes = [note(name, scheduled(r, now.date(), here)) for name, r in (sm2 | instants).items()]
    outcomes = imports_in(
        zone,
        *(
            Import(str(packed(tmp_path, plan(*notes, rollover=hour), f"{hour}.apkg")), hour, age)
            for hour in ROLLOVERS
            for age in AGES
        ),
    )
    expected = {name: (r.due.isoformat(), r.interval) for name, r in sm2.items()}
    expected |= {
        name: (r.due.astimezone(here).date().isoformat(), 3) for name, r in instants.items()
    }
    assert len(outcomes) == 4
    for outcome in outcomes:
        assert {seen.guid: (seen.due, seen.interval) for seen in outcome.cards} == expected
        assert outcome.complaints == ()


@pytest.mark.parametrize("zone", ZONES)
def test_a_card_in_learning_comes_up_at_its_instant_in_every_zone(
    zone: str, tmp_path: Path
) -> None:
    here = ZoneInfo(zone)
    now = datetime.now(here)
    # Names in order: so does Anki list its decks.
    due = {
        f"{state} {offset} {hour:02}": instant(now.date() + timedelta(offset), hour)
        for state in (1, 3)
        for offset in (-400, 2, 3)
        for hour in (0, 23)
    }
    notes = [
        note(name, scheduled(fsrs(when, int(name[0])), now.date(), here), deck=name)
        for name, when in due.items()
    ]
    moments = [
        int(when.timestamp()) + seconds
        for when in due.values()
        for seconds in (-LEARN_AHEAD - 60, 60)
        if when > now
    ]
    package = packed(tmp_path, plan(*notes))
    (outcome,) = imports_in(zone, Import(str(package), 4, 500, tuple(moments)))
    for moment, decks in zip(moments, outcome.learning, strict=True):
        assert set(decks) == {
            name for name, when in due.items() if when.timestamp() <= moment + LEARN_AHEAD
        }
    assert outcome.complaints == ()


# ---------------------------------------------------------------- numbers


def test_a_review_arrives_with_all_its_numbers(tmp_path: Path) -> None:
    day = date.today()
    last = datetime(2026, 5, 17, 10, tzinfo=UTC)
    sm2 = Sm2Review(date(2026, 4, 25), 14, 290)
    memory = FsrsReview(datetime(2026, 5, 20, 10, tzinfo=UTC), 3, 3.1262, 5.31, 2, 4, 1, last)
    made = plan(
        note("sm2", scheduled(sm2, day, UTC)),
        note("fsrs", scheduled(memory, day, UTC)),
        note("unseen", NEW, position=7),
    )
    with collection(tmp_path, age=4000) as col:
        bring(col, packed(tmp_path, made))
        seen = {one.guid: one for one in cards(col)}
    assert [(c.type, c.queue) for c in seen.values()] == [(2, 2), (2, 2), (0, 0)]
    sm2_noon = datetime(2026, 4, 11, 12, tzinfo=UTC).timestamp()
    assert (seen["sm2"].interval, seen["sm2"].factor) == (14, 2900)
    assert (seen["sm2"].reps, seen["sm2"].lapses) == (1, 0)
    assert seen["sm2"].last_review == sm2_noon
    assert (seen["fsrs"].interval, seen["fsrs"].factor) == (3, 2550)
    assert (seen["fsrs"].reps, seen["fsrs"].lapses) == (4, 1)
    assert seen["fsrs"].last_review == last.timestamp()
    assert seen["fsrs"].memory == (3.126, 5.31)
    assert (seen["unseen"].due, seen["unseen"].interval, seen["unseen"].reps) == ("7", 0, 0)


def test_fsrs_reckons_from_interval_ease_and_last_review(tmp_path: Path) -> None:
    with collection(tmp_path, fsrs=True) as col:
        day = today(col)
        bring(col, packed(tmp_path, plan(note("a", reviewed(day, day, LOCAL)))))
        assert card(col, "a").memory == (14.0, 7.2)
        assert 30 <= answer_good(col, "a").interval <= 36
        assert complaints(col) == ()


def test_sm2_reckons_from_interval_and_ease(tmp_path: Path) -> None:
    with collection(tmp_path, fsrs=False) as col:
        day = today(col)
        bring(col, packed(tmp_path, plan(note("a", reviewed(day, day, LOCAL)))))
        good = states(col, "a").good.normal.review
        assert round(good.ease_factor, 2) == 2.32
        assert 29 <= answer_good(col, "a").interval <= 36  # 14 days by 2.32, and Anki's fuzz


@pytest.mark.parametrize("with_fsrs", [True, False])
def test_a_card_in_learning_can_be_answered_at_once_and_then_leaves_learning(
    with_fsrs: bool, tmp_path: Path
) -> None:
    with collection(tmp_path, fsrs=with_fsrs, age=100) as col:
        now = datetime.now(UTC)
        short = {"learning": 1, "relearning": 3}
        made = plan(
            *(
                note(name, scheduled(fsrs(now - timedelta(minutes=9), state), now.date(), UTC))
                for name, state in short.items()
            )
        )
        bring(col, packed(tmp_path, made))
        assert [card(col, name).type for name in short] == [1, 3]
        assert [card(col, name).memory for name in short] == [(4.25, 5.5)] * 2
        assert set(queued(col, "learning")) == set(short)
        for name in short:
            after = answer_good(col, name)
            assert (after.type, after.queue) == (2, 2)
            assert date.fromisoformat(after.due) > today(col)
        assert complaints(col) == ()


@pytest.mark.parametrize("interval", [1, 36500])
@pytest.mark.parametrize("ease", [130, 999])
def test_numbers_at_anki_s_limits_need_no_mending(interval: int, ease: int, tmp_path: Path) -> None:
    day = date.today()
    made = plan(
        *(
            note(str(off), scheduled(Sm2Review(day + timedelta(off), interval, ease), day, LOCAL))
            for off in (-36500, 0, 36500)
        )
    )
    with collection(tmp_path, age=900) as col:
        bring(col, packed(tmp_path, made))
        assert {one.interval for one in cards(col)} == {interval}
        assert {one.factor for one in cards(col)} == {ease * 10}
        assert complaints(col) == ()
        assert answer_good(col, "0").interval >= 1


def test_a_made_up_log_row_keeps_what_fsrs_reckons(tmp_path: Path) -> None:
    with collection(tmp_path, age=50) as col:
        day = today(col)
        notes = [note(f"{n:04}", reviewed(day, day, LOCAL)) for n in range(1200)]
        bring(col, packed(tmp_path, plan(*notes, revlog=True)))
        assert complaints(col) == ()
        # 1,200 cards share one noon: no two log rows may share a millisecond.
        assert col.db is not None
        assert col.db.scalar("select count(distinct id / 1000) from revlog") == 2
        assert col.db.scalar("select count() from revlog") == 1200
        assert 30 <= answer_good(col, "0000").interval <= 36
        assert 30 <= answer_good(col, "1199").interval <= 36


def test_without_learning_progress_every_card_is_new(tmp_path: Path) -> None:
    day = date.today()
    with collection(tmp_path) as col:
        bring(col, packed(tmp_path, plan(note("a", reviewed(day, day, LOCAL)))), scheduling=False)
        assert (card(col, "a").type, card(col, "a").interval) == (0, 0)


# ---------------------------------------------------------------- everything else of a note

EVERY_TYPE = (
    note(
        "single",
        NEW,
        deck="a::b",
        tags=("ml", "x::y"),
        fields={"Context": "Doc", "Source": "<a>src</a>"},
    ),
    note(
        "reversed",
        NEW,
        NEW,
        deck="a::c",
        fields={"Front": '<img src="cat-12.png">', "Back": "Q &lt; A"},
    ),
    note(
        "cloze",
        NEW,
        NEW,
        NEW,
        notetype=Notetype.CLOZE,
        deck="d",
        fields={
            "Text": "{{c1::one}}, {{c2::two::hint}} and {{c1,3::three}} é 日本",
            "Extra": "extra",
        },
        ordinals=(0, 1, 2),
    ),
)


def test_fields_decks_tags_and_media_arrive_as_they_were_sent(tmp_path: Path) -> None:
    picture = media(tmp_path / "cat-12.png", b"\x89PNG" + bytes(70_000))
    made = plan(*EVERY_TYPE, media=(picture,))
    with collection(tmp_path) as col:
        bring(col, packed(tmp_path, made))
        seen = {(one.guid, one.ordinal): one for one in cards(col)}
        assert sorted(seen) == sorted((n.guid, c.ordinal) for n in EVERY_TYPE for c in n.cards)
        for sent in EVERY_TYPE:
            for sent_card in sent.cards:
                got = seen[sent.guid, sent_card.ordinal]
                assert (got.fields, got.deck, got.tags) == (sent.fields, sent.deck, sent.tags)
        assert Path(col.media.dir(), "cat-12.png").read_bytes() == picture.file.read_bytes()
        names = {one.name for one in col.decks.all_names_and_ids()}
        assert names == {"Default", "a", "a::b", "a::c", "d"}
        assert complaints(col) == ()


def test_text_arrives_as_the_package_holds_it(tmp_path: Path) -> None:
    """What Anki drops or mends in silence is out of the package already."""
    every = "".join(map(chr, [*range(0x180), 0xAD, 0x301, 0x2028, 0x212B, 0xD800, 0xFEFF, 0xFFFF]))
    made = plan(
        note("odd", fields={"Front": clean(every), "Back": clean("e\u0301\r\n\ud83d")}),
        note("tags", tags=("a b", "::c::", "d\u3000e", "A_b", "a_b", "", "f\ud800", "e\u0301")),
    )
    package = packed(tmp_path, made)
    with collection(tmp_path) as col:
        bring(col, package)
        assert col.db is not None
        question = "select guid, flds, tags from notes order by guid"
        assert [tuple(row) for row in col.db.all(question)] == rows(package, question)
        assert card(col, "odd").fields[1] == "é\n"
        assert card(col, "tags").tags == ("a_b", "c", "d_e", "f", "é")
        assert complaints(col) == ()


def test_the_names_of_files_are_text_for_anki(tmp_path: Path) -> None:
    name = "[sound:x.mp3] [latex]a[/latex] [$]b[/$]"
    place = render.Place(VaultPath(f"[$$]c[/$$]/{name}.md"), 1, "[sound:v.mp3]")
    fields = {"Context": render.context(name, ()), "Source": render.source_link(place, "id")}
    with collection(tmp_path) as col:
        bring(col, packed(tmp_path, plan(note("a", fields=fields))))
        question, answer = rendered(col, "a", 0)
        assert complaints(col) == ()
    assert "&#91;sound:x.mp3]" in question
    assert "&#91;$$]c&#91;/$$]" in answer


def test_decks_that_differ_in_case_alone_are_one(tmp_path: Path) -> None:
    made = plan(
        note("1", deck="Maths::Sets"),
        note("2", deck="maths::sets"),
        note("3", deck="MATHS::Maße"),
        note("4", deck="maths::MASSE"),
        note("5", deck="default"),
        note("6", deck="::  maths :: "),
    )
    with collection(tmp_path) as col:
        bring(col, packed(tmp_path, made))
        assert [one.deck for one in cards(col)] == [
            "Maths::Sets",
            "Maths::Sets",
            "Maths::Maße",
            "Maths::Maße",
            "Default",
            "Maths",
        ]
        assert len(col.decks.all_names_and_ids()) == 4


def test_a_deck_is_at_most_as_deep_as_anki_can_hold(tmp_path: Path) -> None:
    with collection(tmp_path) as col:
        bring(col, packed(tmp_path, plan(note("a", deck="::".join("abcdefghijklm")))))
        assert card(col, "a").deck == "::".join("abcdefghijk")


def test_the_user_s_own_deck_options_are_left_alone(tmp_path: Path) -> None:
    with collection(tmp_path) as col:
        (preset,) = col.decks.all_config()
        preset["new"]["perDay"] = 77
        col.decks.update_config(preset)
        before = col.decks.all_config()
        bring(col, packed(tmp_path, plan(note("a"))), presets=True)
        assert col.decks.all_config() == before


# ---------------------------------------------------------------- what a card shows


def test_a_card_shows_context_above_and_source_and_notes_below_the_answer(tmp_path: Path) -> None:
    filled = {"Context": "THE-CONTEXT", "Source": "THE-SOURCE", "Notes": "THE-NOTES"}
    made = plan(
        note("basic", NEW, NEW, fields={"Front": "THE-FRONT", "Back": "THE-BACK"} | filled),
        note(
            "cloze",
            notetype=Notetype.CLOZE,
            fields={"Text": "TEXT {{c1::ANSWER}}", "Extra": "THE-EXTRA"} | filled,
        ),
    )
    with collection(tmp_path) as col:
        bring(col, packed(tmp_path, made))
        forth, back = rendered(col, "basic", 0), rendered(col, "basic", 1)
        cloze = rendered(col, "cloze", 0)
    sides = [re.sub("<[^>]*>", " ", side).split() for side in (*forth, *back, *cloze)]
    assert sides == [
        ["THE-CONTEXT", "THE-FRONT"],
        ["THE-CONTEXT", "THE-FRONT", "THE-BACK", "THE-NOTES", "THE-SOURCE"],
        ["THE-CONTEXT", "THE-BACK"],
        ["THE-CONTEXT", "THE-BACK", "THE-FRONT", "THE-NOTES", "THE-SOURCE"],
        ["THE-CONTEXT", "TEXT", "[...]"],
        ["THE-CONTEXT", "TEXT", "ANSWER", "THE-EXTRA", "THE-NOTES", "THE-SOURCE"],
    ]


def test_bookkeeping_is_shown_on_no_card(tmp_path: Path) -> None:
    private = {"Id": "SECRET", "Vault": "SECRET", "State": "SECRET"}
    private |= {"Spare 1": "SECRET", "Spare 2": "SECRET"}
    made = plan(
        note("basic", NEW, NEW, fields=private),
        note("cloze", notetype=Notetype.CLOZE, fields=private),
    )
    with collection(tmp_path) as col:
        bring(col, packed(tmp_path, made))
        for one in cards(col):
            assert "SECRET" in one.fields
            assert "SECRET" not in "".join(rendered(col, one.guid, one.ordinal))


def test_a_card_without_context_source_and_notes_shows_no_empty_boxes(tmp_path: Path) -> None:
    with collection(tmp_path) as col:
        bring(col, packed(tmp_path, plan(note("a", fields={"Front": "Q", "Back": "A"}))))
        question, answer = rendered(col, "a", 0)
    assert re.findall(r'class="([^"]+)"', question) == ["side question"]
    assert re.findall(r'class="([^"]+)"', answer) == ["side question", "side answer"]


# ---------------------------------------------------------------- importing again


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    day = date.today()
    made = plan(*EVERY_TYPE, note("reviewed", reviewed(day, day, LOCAL)))
    package = packed(tmp_path, made)
    with collection(tmp_path, age=700) as col:
        bring(col, package)
        before = everything(col)
        log = bring(col, package)
        assert everything(col) == before
        assert (len(log.new), len(log.updated), len(log.duplicate)) == (0, 0, len(made.notes))


def test_reviews_in_anki_outlive_every_import(tmp_path: Path) -> None:
    day = date.today()
    seeded = note("a", reviewed(day, day, LOCAL))
    with collection(tmp_path, age=1100) as col:
        bring(col, packed(tmp_path, plan(seeded, note("b"))))
        answer_good(col, "a")
        answer_good(col, "b")
        before = cards(col)
        later = reviewed(day + timedelta(3), day, LOCAL, interval=99)
        elsewhere = note("a", later, deck="other", mod=LONG_AGO + 1)
        bring(col, packed(tmp_path, plan(elsewhere, note("b", later))))
        assert cards(col) == before
        assert complaints(col) == ()


def test_a_note_is_updated_when_its_content_is_newer_and_only_then(tmp_path: Path) -> None:
    old = {"Back": "old"}
    with collection(tmp_path) as col:
        bring(col, packed(tmp_path, plan(note("a", fields=old), note("b", fields=old))))
        newer = note("a", fields={"Back": "new"}, mod=LONG_AGO + 1)
        bring(col, packed(tmp_path, plan(newer, note("b", fields={"Back": "new"}))))
        assert [one.fields[1] for one in cards(col)] == ["new", "old"]
        assert col.db is not None
        assert col.db.list("select mod from notes order by guid") == [LONG_AGO + 1, LONG_AGO]


def test_new_cards_of_a_known_note_arrive_with_their_scheduling(tmp_path: Path) -> None:
    day = date.today()
    due = reviewed(day, day, LOCAL)
    three = {"Text": "{{c1::a}} {{c2::b}} {{c3::c}}"}
    with collection(tmp_path, age=30) as col:
        cloze = note("cloze", notetype=Notetype.CLOZE)
        bring(col, packed(tmp_path, plan(note("basic"), cloze)))
        made = plan(
            note("basic", NEW, due, mod=LONG_AGO + 1),
            note("cloze", NEW, due, NEW, notetype=Notetype.CLOZE, mod=LONG_AGO + 1, fields=three),
        )
        bring(col, packed(tmp_path, made))
        assert [(one.guid, one.ordinal, one.interval) for one in cards(col)] == [
            ("basic", 0, 0),
            ("basic", 1, 14),
            ("cloze", 0, 0),
            ("cloze", 1, 14),
            ("cloze", 2, 0),
        ]
        assert card(col, "basic", 1).due == day.isoformat()
        assert complaints(col) == ()


def test_styling_that_the_user_changed_stays(tmp_path: Path) -> None:
    package = packed(tmp_path, plan(note("a")))
    with collection(tmp_path) as col:
        bring(col, package)
        notetype = col.models.by_name("obs2anki")
        assert notetype is not None
        notetype["css"] = ".card { color: hotpink }"
        notetype["tmpls"][0]["qfmt"] += "<!-- mine -->"
        col.models.update_dict(notetype)
        bring(col, package)
        kept = col.models.by_name("obs2anki")
        assert kept is not None
        assert (kept["css"], kept["tmpls"]) == (notetype["css"], notetype["tmpls"])
        names = [n.name for n in col.models.all_names_and_ids() if "obs2anki" in n.name]
        assert names == ["obs2anki"]


def test_anki_knows_both_notetypes_by_the_names_and_ids_that_we_gave(tmp_path: Path) -> None:
    made = plan(note("a"), note("b", notetype=Notetype.CLOZE))
    with collection(tmp_path) as col:
        bring(col, packed(tmp_path, made))
        for notetype, definition in DEFINITIONS.items():
            found = col.models.by_name(notetype.value)
            assert found is not None
            assert found["id"] == definition.id
            assert tuple(field["name"] for field in found["flds"]) == FIELDS[notetype]
            assert [field["id"] for field in found["flds"]] == [f.id for f in definition.fields]
            assert [one["id"] for one in found["tmpls"]] == [t.id for t in definition.templates]
            assert found["css"] == definition.css


def test_what_anki_exports_is_not_overwritten(tmp_path: Path) -> None:
    """It holds what the user has learnt, and no plan does."""
    with collection(tmp_path) as col:
        bring(col, packed(tmp_path, plan(note("a"))))
        for legacy in (True, False):
            exported = tmp_path / f"{legacy}.apkg"
            export(col, exported, "learning", legacy=legacy)
            before = exported.read_bytes()
            with pytest.raises(Obs2ankiError, match="was exported by Anki"):
                Package(exported).deliver(plan(note("b")))
            assert exported.read_bytes() == before
