"""How a card is scheduled in Anki, as far as that is compared with what a vault says.

(2, 3493, 14, 2900, 5, 0) since 2014-09-19   ->   Scheduling(REVIEW, 2024-04-12, 14 days, ...)
"""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta

from obs2anki.data import CardState, Scheduling
from obs2anki.destinations.anki2 import TYPE_AND_QUEUE

STATES = {number: state for state, (number, _) in TYPE_AND_QUEUE.items()}

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


def today(rollover: int) -> date:
    """Anki's day here: the calendar's, but for the hours before the rollover."""
    return (datetime.fromtimestamp(time.time()) - timedelta(hours=rollover)).date()
