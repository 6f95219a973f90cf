"""A review as the plugin wrote it becomes scheduling as Anki wants it.

    !2024-04-25,14,290 -> review card, due 2024-04-25, interval 14, factor 2900,
                          last reviewed on 2024-04-11 at noon

The limits are Anki's own (26.09): a number beyond them aborts the whole import, or is repaired
in silence. What had to be changed is returned in words.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache

from obs2anki.data import NEW, CardState, FsrsReview, Review, Scheduling, Sm2Review

LONGEST_INTERVAL = 36500
"""Days. Anki's maximum, for intervals and for stabilities."""

SMALLEST_STABILITY = 0.001
"""Days. Anki's FSRS knows no smaller one."""

FACTORS = (1300, 9999)
"""Ease in permille; Anki's answers never take it below the first."""

EASES = FACTORS[0] / 10, FACTORS[1] / 10
"""The same in percent."""

MOST_REPS = 2**31 - 1

UNKNOWN_FACTOR = 2500
"""What Anki gives to a card whose difficulty is not known."""

EARLIEST_REVIEW = date(1970, 1, 2)

INSTANTS = (date(1901, 12, 15), date(2038, 1, 17))
"""Days, in every zone, of which Anki can hold an instant: it has 32 bits for its seconds. One
beyond them becomes 0, in silence."""

STATES = {0: CardState.NEW, 1: CardState.LEARNING, 3: CardState.RELEARNING}
"""Of ts-fsrs; every other number is a review card."""


def of(review: Review | None, today: date, zone: tzinfo) -> tuple[Scheduling, list[str]]:
    """The scheduling that `review` says, and each value that Anki cannot hold, in words.

    `zone` makes days of instants; a datetime without a zone is in it. `today` is the day of the
    run there: a due date lies within 36,500 days of it, a last review not after it. Raises
    nothing, whatever numbers the review holds.
    """
    clamped: list[str] = []
    match review:
        case Sm2Review():
            return _from_sm2(review, today, zone, clamped), clamped
        case FsrsReview():
            return _from_fsrs(review, today, zone, clamped), clamped
        case None:
            return NEW, clamped


def _from_sm2(review: Sm2Review, today: date, zone: tzinfo, clamped: list[str]) -> Scheduling:
    # The plugin's "Again" leaves 0 days, due the same day; Anki's shortest interval is 1.
    interval, ease, due = review.interval or 1, review.ease, review.due
    number, last = due.toordinal(), today.toordinal()
    permille = round(ease * 10)
    within = 1 <= interval <= LONGEST_INTERVAL and EASES[0] < ease <= EASES[1]
    if not within or abs(number - last) > LONGEST_INTERVAL:  # hardly ever
        interval = round(_within(interval, 1, LONGEST_INTERVAL, "an interval", "days", clamped))
        permille = round(_within(ease, *EASES, "an ease", "%", clamped) * 10)
        due = _near(due, today, clamped)
        number = due.toordinal()
    return Scheduling(
        CardState.REVIEW,
        due,
        None,
        interval,
        permille,
        1,  # the plugin keeps no count; 0 would be a card that was never answered
        0,
        _presumed_review(number, interval, last, zone),
        None,
        None,
    )


def _from_fsrs(review: FsrsReview, today: date, zone: tzinfo, clamped: list[str]) -> Scheduling:
    state = STATES.get(review.state, CardState.REVIEW)
    if state is CardState.NEW:
        return NEW
    said = day(review.due, zone)
    due = _near(said, today, clamped, *(() if state is CardState.REVIEW else INSTANTS))
    # A card in relearning keeps the interval to which it will return, at least a day: from 0
    # Anki would make it due again the same day, for ever.
    interval = 0 if state is CardState.LEARNING else _interval(review, clamped)
    stability, difficulty = _memory(review, clamped)
    return Scheduling(
        state,
        due,
        None if state is CardState.REVIEW else _due_at(review, due, zone),
        interval,
        UNKNOWN_FACTOR if difficulty is None else _factor(difficulty),
        round(_within(review.reps, 0, MOST_REPS, "a count", "reviews", clamped)),
        round(_within(review.lapses, 0, MOST_REPS, "a count", "lapses", clamped)),
        _last_review(review, due, interval, today, zone),
        stability,
        difficulty,
    )


def _interval(review: FsrsReview, clamped: list[str]) -> int:
    # Sub-day learning leaves 0 days, as in SM-2.
    days = review.interval or 1
    return round(_within(days, 1, LONGEST_INTERVAL, "an interval", "days", clamped))


def _memory(review: FsrsReview, clamped: list[str]) -> tuple[float | None, float | None]:
    """Stability and difficulty if both make sense, else neither: Anki needs the two together."""
    stability, difficulty = review.stability, review.difficulty
    if not (0 < stability < math.inf and 1 <= difficulty <= 10):
        clamped.append(
            f"a stability of {_shown(stability)} with a difficulty of {_shown(difficulty)}: "
            "it works both out from the interval"
        )
        return None, None
    return (
        _within(stability, SMALLEST_STABILITY, LONGEST_INTERVAL, "a stability", "days", clamped),
        difficulty,
    )


def _factor(difficulty: float) -> int:
    """The ease that the plugin shows for an FSRS card, in permille."""
    return round(130 + 240 * (10 - difficulty) / 9) * 10


# ---------------------------------------------------------------- numbers within limits


def _within(
    value: float, low: float, high: float, what: str, unit: str, clamped: list[str]
) -> float:
    """`value` from `low` to `high`; what is not a number counts as too low."""
    if low < value <= high:
        return value
    kept = high if value > low else low
    if kept != value:
        clamped.append(f"{what} of {_shown(value)} {unit}: it becomes {_shown(kept)}")
    return kept


def _shown(value: float) -> str:
    """A number for people, who do not read a thousand digits."""
    if 10**12 < abs(value) < math.inf:
        return "over 10^12" if value > 0 else "below -10^12"
    return f"{value:.13g}"


# ---------------------------------------------------------------- days and instants


def _near(
    day: date, today: date, clamped: list[str], first: date = date.min, last: date = date.max
) -> date:
    """`day`, at most 36,500 days from `today`, and in any case from `first` to `last`."""
    this, that = day.toordinal(), today.toordinal()
    if -LONGEST_INTERVAL <= this - that <= LONGEST_INTERVAL and first <= day <= last:
        return day
    low, high = that - LONGEST_INTERVAL, that + LONGEST_INTERVAL
    near = min(max(this, low), high)
    kept = date.fromordinal(min(max(near, first.toordinal()), last.toordinal()))
    if kept != day:
        clamped.append(f"the due date {day}: it becomes {kept}")
    return kept


@lru_cache(maxsize=4096)  # many cards are due, or were reviewed, at one instant
def day(instant: datetime, zone: tzinfo) -> date:
    """The day of `instant` in `zone`; an instant without a zone is in it already."""
    if instant.tzinfo is None:
        return instant.date()
    try:
        return instant.astimezone(zone).date()
    except OverflowError:  # in the first or the last day that a calendar knows
        return instant.date()


@lru_cache(maxsize=4096)
def _second(instant: datetime, zone: tzinfo) -> int:
    """Seconds since the epoch."""
    aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=zone)
    return math.floor((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


@lru_cache(maxsize=4096)  # many cards were reviewed on one day
def _noon(day: int, zone: tzinfo) -> int:
    """Noon, in seconds since the epoch, of the day that has this ordinal."""
    return _second(datetime.combine(date.fromordinal(day), time(12)), zone)


def _presumed_review(due: int, interval: int, today: int, zone: tzinfo) -> int:
    """When a card must have been reviewed to fall due on `due`: noon of that day.

    The days are ordinals. FSRS in Anki needs the time: without it, it reckons as if none had
    passed.
    """
    return _noon(max(min(due - interval, today), 1), zone)  # the first day that a calendar knows


def _last_review(review: FsrsReview, due: date, interval: int, today: date, zone: tzinfo) -> int:
    """Seconds since the epoch; an answer from before computers, or still to come, is no answer."""
    answered = review.last_review
    if answered is None or not EARLIEST_REVIEW <= day(answered, zone) <= today:
        return _presumed_review(due.toordinal(), interval, today.toordinal(), zone)
    return _second(answered, zone)


def _due_at(review: FsrsReview, due: date, zone: tzinfo) -> int:
    """When a card in learning falls due; noon where its day had to be changed."""
    return (
        _second(review.due, zone) if day(review.due, zone) == due else _noon(due.toordinal(), zone)
    )
