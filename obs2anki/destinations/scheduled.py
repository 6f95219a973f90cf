"""How a card is scheduled in Anki, as far as that is compared with what a vault says.

(2, 3493, 14, 2900, 5, 0) since 2014-09-19   ->   Scheduling(REVIEW, 2024-04-12, 14 days, ...)
"""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta

from obs2anki.data import CardState, Scheduling
from obs2anki.destinations.anki2 import TYPE_AND_QUEUE

STATES = {number: state for state, (number, _) in TYPE_AND_QUEUE.items()}

MOMENT = 1_000_000_000
"""Seconds since the epoch: what is due at a moment is due later than this, days are far fewer."""

_LAST = date.max.toordinal()


def of(
    kind: int, due: int, interval: int, factor: int, reps: int, lapses: int, first: date | None
) -> Scheduling:
    """The scheduling of a card of Anki's type `kind`.

    Anki counts the days on which reviews are due from `first`; None = nobody knows that day.
    A card in learning has its instant, but no day.
    """
    state, day = STATES.get(kind, CardState.NEW), None
    due_at = due if state in (CardState.LEARNING, CardState.RELEARNING) else None
    if state is CardState.REVIEW and first is not None:
        number = first.toordinal() + due
        day = date.fromordinal(number) if 0 < number <= _LAST else None
    return Scheduling(state, day, due_at, interval, factor, reps, lapses)


def is_crammed(kind: int, due: int) -> bool:
    """Whether a card in a filtered deck, of Anki's type `kind`, is asked again there at a moment.

    A deck that reschedules does so with cards in learning alone.
    """
    learns = STATES.get(kind) in (CardState.LEARNING, CardState.RELEARNING)
    return due >= MOMENT and not learns


def today(rollover: int) -> date:
    """Anki's day here: the calendar's, but for the hours before the rollover."""
    return (datetime.fromtimestamp(time.time()) - timedelta(hours=rollover)).date()
