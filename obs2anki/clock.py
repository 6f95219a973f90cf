"""The clock and the time zone of a run.

    SOURCE_DATE_EPOCH=1704067200, timezone = "Europe/Lisbon"  ->  2024-01-01 00:00 in Lisbon

Read once for each run, and handed on from there.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from obs2anki.diagnostics import Obs2ankiError
from obs2anki.settings import Settings


def reading(environment: Mapping[str, str]) -> datetime:
    """The one reading of the clock, in UTC; `SOURCE_DATE_EPOCH` stands in for it if set.

    Raises Obs2ankiError where that variable holds no time.
    """
    if sys.platform != "win32":
        time.tzset()  # a machine may travel while a watch goes on
    epoch = environment.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        raise Obs2ankiError(
            f"SOURCE_DATE_EPOCH is {epoch!r}, which is no time. "
            "Set it to seconds since 1970, such as 1704067200, or unset it."
        ) from None


def zone_of(in_force: Settings) -> tzinfo:
    """The time zone of the settings, else the machine's."""
    name = in_force.scheduling.timezone
    if name is None:
        return _machine_zone(os.environ.get("TZ"), time.tzname, time.timezone, time.altzone)
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _machine_zone(*_: object) -> MachineZone:
    """The machine's zone, which is the same one for as long as nothing of all this changes."""
    return MachineZone()


def offsets(zone: tzinfo, now: datetime) -> tuple[timedelta | None, ...]:
    """How far a zone is ahead of UTC, week by week from two years ago to two years on.

    What a zone is called says little: a machine that travels has another one by the same name,
    and governments change their summer times.
    """
    first = datetime(min(max(now.year, MINYEAR + 3), MAXYEAR - 3), 1, 1, tzinfo=UTC)
    weeks = (first + timedelta(weeks=number) for number in range(-104, 157))
    return tuple(week.astimezone(zone).utcoffset() for week in weeks)


class MachineZone(tzinfo):
    """The machine's own time zone, with its summer times of today and of years ago.

    The C library knows it whatever it is made of: a name or a rule in TZ, or a system setting.
    """

    def fromutc(self, instant: datetime) -> datetime:
        """The local time of an instant in UTC (that is how datetime asks)."""
        there = instant.replace(tzinfo=UTC)
        try:
            offset = there.astimezone().utcoffset() or timedelta()
        except (OverflowError, OSError, ValueError):
            offset = _standard()
        local = (there.replace(tzinfo=None) + offset).replace(tzinfo=self)
        # In autumn an hour comes twice.
        return local if local.utcoffset() == offset else local.replace(fold=1)

    def utcoffset(self, local: datetime | None) -> timedelta:
        """How far local time is ahead of UTC."""
        if local is None:
            return _standard()
        try:
            return local.replace(tzinfo=None).astimezone().utcoffset() or timedelta()
        except (OverflowError, OSError, ValueError):
            return _standard()

    def dst(self, _: datetime | None) -> None:
        """Not told apart."""

    def tzname(self, _: datetime | None) -> None:
        """Not known."""


def _standard() -> timedelta:
    """The offset for years that the C library does not know."""
    return timedelta(seconds=-time.timezone)
