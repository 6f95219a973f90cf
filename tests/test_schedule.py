"""Reviews in, scheduling out: what Anki can hold, and what is said where it cannot."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import schedule
from obs2anki.data import NEW, CardState, FsrsReview, Review, Scheduling, Sm2Review

TODAY = date(2024, 5, 1)
BERLIN = ZoneInfo("Europe/Berlin")
KIRITIMATI = ZoneInfo("Pacific/Kiritimati")


def noon(year: int, month: int, day: int, zone: tzinfo) -> int:
    return int(datetime(year, month, day, 12, tzinfo=zone).timestamp())


def fsrs(
    due: datetime,
    state: int = 2,
    *,
    interval: float = 3,
    stability: float = 3.1262,
    difficulty: float = 5.31,
    reps: int = 4,
    lapses: int = 1,
    last_review: datetime | None = None,
) -> FsrsReview:
    return FsrsReview(due, interval, stability, difficulty, state, reps, lapses, last_review)


# ---------------------------------------------------------------- SM-2


def test_a_card_that_was_never_reviewed_is_new() -> None:
    assert schedule.of(None, TODAY, UTC) == (NEW, [])


def test_an_sm2_review_is_a_review_card_last_seen_an_interval_before_its_due_date() -> None:
    scheduling, clamped = schedule.of(Sm2Review(date(2024, 4, 25), 14, 290), TODAY, BERLIN)
    assert scheduling == Scheduling(
        CardState.REVIEW,
        due=date(2024, 4, 25),
        interval=14,
        factor=2900,
        reps=1,
        last_review=noon(2024, 4, 11, BERLIN),
    )
    assert clamped == []


def test_again_leaves_no_interval_and_becomes_one_day() -> None:
    scheduling, clamped = schedule.of(Sm2Review(TODAY, 0, 250), TODAY, UTC)
    assert (scheduling.interval, scheduling.due) == (1, TODAY)
    assert clamped == []


def test_nothing_was_reviewed_after_today() -> None:
    scheduling, _ = schedule.of(Sm2Review(date(2024, 6, 1), 3, 250), TODAY, UTC)
    assert scheduling.last_review == noon(2024, 5, 1, UTC)
    assert scheduling.due == date(2024, 6, 1)


@pytest.mark.parametrize(
    ("review", "kept", "said"),
    [
        (
            Sm2Review(TODAY, 36525, 250),
            {"interval": 36500},
            "an interval of 36525 days: it becomes 36500",
        ),
        (Sm2Review(TODAY, -3, 250), {"interval": 1}, "an interval of -3 days: it becomes 1"),
        (Sm2Review(TODAY, 3, 100), {"factor": 1300}, "an ease of 100 %: it becomes 130"),
        (Sm2Review(TODAY, 3, 1500), {"factor": 9999}, "an ease of 1500 %: it becomes 999.9"),
        (
            Sm2Review(TODAY, 10**5000, 250),
            {"interval": 36500},
            "an interval of over 10^12 days: it becomes 36500",
        ),
        (
            Sm2Review(date.max, 3, 250),
            {"due": TODAY + timedelta(36500)},
            "the due date 9999-12-31: it becomes 2124-04-07",
        ),
        (
            Sm2Review(date.min, 3, 250),
            {"due": TODAY - timedelta(36500)},
            "the due date 0001-01-01: it becomes 1924-05-26",
        ),
    ],
)
def test_what_anki_cannot_hold_is_brought_within_its_limits_and_said(
    review: Sm2Review, kept: dict[str, object], said: str
) -> None:
    scheduling, clamped = schedule.of(review, TODAY, UTC)
    assert {name: getattr(scheduling, name) for name in kept} == kept
    assert clamped == [said]


# ---------------------------------------------------------------- FSRS


def test_an_fsrs_review_keeps_its_memory_counts_and_instants() -> None:
    answered = datetime(2024, 5, 17, 10, tzinfo=UTC)
    review = fsrs(datetime(2024, 5, 20, 10, tzinfo=UTC), last_review=answered)
    scheduling, clamped = schedule.of(review, date(2024, 6, 1), UTC)
    assert scheduling == Scheduling(
        CardState.REVIEW,
        due=date(2024, 5, 20),
        interval=3,
        factor=2550,
        reps=4,
        lapses=1,
        last_review=int(answered.timestamp()),
        stability=3.1262,
        difficulty=5.31,
    )
    assert clamped == []


@pytest.mark.parametrize(
    ("hour", "minute", "zone", "day"),
    [
        (23, 30, UTC, 20),
        (23, 30, BERLIN, 21),
        (23, 30, KIRITIMATI, 21),
        (23, 30, ZoneInfo("Pacific/Pago_Pago"), 20),
        (0, 30, UTC, 20),
        (0, 30, BERLIN, 20),
        (0, 30, ZoneInfo("America/Los_Angeles"), 19),
        (0, 30, KIRITIMATI, 20),
    ],
)
def test_an_instant_becomes_a_day_in_the_user_s_zone(
    hour: int, minute: int, zone: tzinfo, day: int
) -> None:
    due = datetime(2024, 4, 20, hour, minute, tzinfo=UTC)
    assert schedule.of(fsrs(due), TODAY, zone)[0].due == date(2024, 4, day)


def test_the_calendar_ends_before_the_time_zones_do() -> None:
    assert schedule.day(datetime.max.replace(tzinfo=UTC), KIRITIMATI) == date.max
    assert schedule.day(datetime.min.replace(tzinfo=KIRITIMATI), UTC) == date.min


@pytest.mark.parametrize("zone", [UTC, BERLIN, KIRITIMATI])
def test_a_datetime_without_a_zone_is_local(zone: tzinfo) -> None:
    review = fsrs(datetime(2024, 4, 20, 23, 30), 1, last_review=datetime(2024, 4, 20, 23, 20))
    scheduling, _ = schedule.of(review, TODAY, zone)
    assert scheduling.due == date(2024, 4, 20)
    local = datetime(2024, 4, 20, 23, 30, tzinfo=zone)
    assert scheduling.due_at == local.timestamp()
    assert scheduling.last_review == local.timestamp() - 600


@pytest.mark.parametrize(
    ("state", "card_state", "interval"),
    [(1, CardState.LEARNING, 0), (3, CardState.RELEARNING, 1)],
)
def test_a_card_in_learning_falls_due_at_its_instant(
    state: int, card_state: CardState, interval: int
) -> None:
    due = datetime(2024, 4, 30, 23, 30, tzinfo=UTC)
    scheduling, clamped = schedule.of(fsrs(due, state, interval=0), TODAY, BERLIN)
    assert (scheduling.state, scheduling.interval) == (card_state, interval)
    assert (scheduling.due, scheduling.due_at) == (date(2024, 5, 1), int(due.timestamp()))
    assert (scheduling.stability, scheduling.difficulty) == (3.1262, 5.31)
    assert clamped == []


@pytest.mark.parametrize(("year", "kept"), [(2038, date(2038, 1, 17)), (1850, date(1924, 5, 26))])
@pytest.mark.parametrize("zone", [UTC, KIRITIMATI, ZoneInfo("Pacific/Pago_Pago")])
def test_an_instant_that_anki_has_no_room_for_is_brought_within_its_range(
    year: int, kept: date, zone: tzinfo
) -> None:
    due = datetime(year, 1, 20, tzinfo=UTC)
    scheduling, clamped = schedule.of(fsrs(due, 1), TODAY, zone)
    assert scheduling.due == kept
    assert scheduling.due_at == noon(kept.year, kept.month, kept.day, zone)
    assert len(clamped) == 1


def test_fsrs_state_0_is_a_new_card() -> None:
    due = datetime(2024, 4, 30, tzinfo=UTC)
    assert schedule.of(fsrs(due, 0, stability=0, difficulty=0), TODAY, UTC) == (NEW, [])


def test_without_a_last_review_it_was_an_interval_before_the_due_date() -> None:
    scheduling, _ = schedule.of(fsrs(datetime(2024, 4, 20, tzinfo=UTC)), TODAY, BERLIN)
    assert scheduling.last_review == noon(2024, 4, 17, BERLIN)


@pytest.mark.parametrize("answered", [datetime(2024, 5, 2), datetime(1601, 1, 1), datetime.max])
def test_a_last_review_that_cannot_have_been_is_taken_from_the_interval(
    answered: datetime,
) -> None:
    review = fsrs(datetime(2024, 4, 20), last_review=answered)
    assert schedule.of(review, TODAY, UTC)[0].last_review == noon(2024, 4, 17, UTC)


@pytest.mark.parametrize(
    ("stability", "difficulty"),
    [
        (math.nan, 5.0),
        (3.0, math.nan),
        (math.inf, 5.0),
        (0.0, 5.0),
        (-1.0, 5.0),
        (3.0, 0.5),
        (3.0, 11.0),
    ],
)
def test_a_memory_that_makes_no_sense_is_left_for_anki_to_work_out(
    stability: float, difficulty: float
) -> None:
    review = fsrs(datetime(2024, 4, 20), stability=stability, difficulty=difficulty)
    scheduling, clamped = schedule.of(review, TODAY, UTC)
    assert (scheduling.stability, scheduling.difficulty) == (None, None)
    assert scheduling.factor == 2500
    assert len(clamped) == 1
    assert "works both out from the interval" in clamped[0]


def test_counts_are_kept_within_what_anki_can_count() -> None:
    review = fsrs(datetime(2024, 4, 20), reps=-1, lapses=2**40)
    scheduling, clamped = schedule.of(review, TODAY, UTC)
    assert (scheduling.reps, scheduling.lapses) == (0, 2**31 - 1)
    assert clamped == [
        "a count of -1 reviews: it becomes 0",
        "a count of over 10^12 lapses: it becomes 2147483647",
    ]


# ---------------------------------------------------------------- whatever a comment may say

numbers = st.one_of(
    st.floats(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), math.nan, math.inf, -math.inf]),
)
zones = st.one_of(
    st.timezones(),
    st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
instants = st.datetimes(timezones=st.none() | zones)
reviews: st.SearchStrategy[Review] = st.one_of(
    st.builds(Sm2Review, st.dates(), st.integers(), st.integers()),
    st.builds(
        FsrsReview,
        due=instants,
        interval=numbers,
        stability=numbers,
        difficulty=numbers,
        state=st.integers(-1, 5),
        reps=numbers,
        lapses=numbers,
        last_review=st.none() | instants,
    ),
)


@given(reviews, st.dates(), zones)
def test_every_review_becomes_something_that_anki_can_hold(
    review: Review, today: date, zone: tzinfo
) -> None:
    scheduling, clamped = schedule.of(review, today, zone)
    if scheduling == NEW:
        return
    assert scheduling.due is not None
    if scheduling.due_at is None:
        assert abs((scheduling.due - today).days) <= 36500
    else:
        assert abs(scheduling.due_at) < 2**31
    lowest = 0 if scheduling.state is CardState.LEARNING else 1
    assert lowest <= scheduling.interval <= 36500
    assert isinstance(scheduling.interval, int)
    assert 1300 <= scheduling.factor <= 9999
    assert isinstance(scheduling.factor, int)
    assert 0 <= scheduling.reps < 2**31
    assert 0 <= scheduling.lapses < 2**31
    assert isinstance(scheduling.last_review, int)
    assert (scheduling.due_at is None) == (scheduling.state is CardState.REVIEW)
    assert (scheduling.stability is None) == (scheduling.difficulty is None)
    if scheduling.stability is not None and scheduling.difficulty is not None:
        assert 0.001 <= scheduling.stability <= 36500
        assert 1 <= scheduling.difficulty <= 10
    assert all(len(said) < 120 for said in clamped)


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(1, 36500), st.integers(130, 999))
def test_what_anki_can_hold_is_not_changed(due: date, interval: int, ease: int) -> None:
    scheduling, clamped = schedule.of(Sm2Review(due, interval, ease), TODAY, BERLIN)
    assert (scheduling.due, scheduling.interval, scheduling.factor) == (due, interval, ease * 10)
    assert clamped == []
