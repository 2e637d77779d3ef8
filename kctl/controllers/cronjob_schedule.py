"""When a CronJob is due: the times of a schedule, the ones missed, the next one.

In: a schedule as :mod:`kctl.api.validation.cron` reads it, instants. Out: instants. Days follow
robfig/cron: the day of the month and the day of the week must both fit if either is ``*``,
otherwise one of them is enough. A wall-clock time that a change of the clocks leaves out does not
come, one that it repeats comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from kctl.api.clock import parse_time
from kctl.api.objects import Obj
from kctl.api.validation.cron import Schedule

YEARS = 5
"""A schedule that has no time for so long has none."""
MANY = 100


class Unmet(NamedTuple):
    """The latest time that has come and what it was counted from; ``many`` when over a hundred have."""

    since: float
    latest: float | None
    many: bool = False


class NeverDueError(ValueError):
    """The schedule has no time, or two at once (31 February)."""


def following(schedule: Schedule, after: float) -> float | None:
    """Return the first time after an instant, None when there is none within five years."""
    after = float(int(after))
    if schedule.every:
        return after + schedule.every
    zone = _zone(schedule.zone)
    first = datetime.fromtimestamp(after, zone).date()
    for day in _days(schedule, first):
        times = _times(schedule, day, zone, after)
        found = next(times, None) if zone is UTC else min(times, default=None)
        if found is not None:
            return found
    return None


def _zone(name: str) -> tzinfo:
    if name in ("", "UTC"):
        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def _days(schedule: Schedule, first: date) -> Iterator[date]:
    _, _, of_month, months, of_week = schedule.fields
    both = of_month.is_open or of_week.is_open
    for ahead in range(366 * YEARS + 1):
        day = first + timedelta(days=ahead)
        fits = (day.day in of_month.values, day.isoweekday() % 7 in of_week.values)
        if day.month in months.values and (all(fits) if both else any(fits)):
            yield day


def _times(schedule: Schedule, day: date, zone: tzinfo, after: float) -> Iterator[float]:
    """Yield the times of a day after an instant; with clocks that change in no particular order."""
    minutes, hours = sorted(schedule.fields[0].values), sorted(schedule.fields[1].values)
    for hour in hours:
        for minute in minutes:
            wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
            for one in (wall, wall.replace(fold=1)) if zone is not UTC else (wall,):
                at = one.timestamp()
                exists = zone is UTC or datetime.fromtimestamp(at, zone).replace(tzinfo=None) == wall.replace(
                    tzinfo=None
                )
                if at > after and exists:
                    yield at


def unmet(cronjob: Obj, schedule: Schedule, now: float, *, within_deadline: bool) -> Unmet:
    """Return the latest time since the last one that was met, as mostRecentScheduleTime.

    Raises NeverDueError for a schedule that cannot be followed.
    """
    last = (cronjob.get("status") or {}).get("lastScheduleTime")
    since = parse_time(last or cronjob["metadata"]["creationTimestamp"])
    deadline = cronjob["spec"].get("startingDeadlineSeconds")
    if within_deadline and deadline is not None:
        since = max(since, now - deadline)
    first = following(schedule, since)
    second = following(schedule, first) if first is not None else None
    if first is None or second is None or second - first < 1:
        raise NeverDueError("time difference between two schedules is less than 1 second")
    if now < first:
        return Unmet(since, None)
    if now < second:
        return Unmet(since, first)
    between = round(second - first)
    missed = int(now - first) // between + 1
    latest: float | None = None
    at = following(schedule, first + (missed - 2) * between)
    while at is not None and at <= now:
        latest, at = at, following(schedule, at)
    return Unmet(since, latest, missed > MANY)


def due_next(cronjob: Obj, schedule: Schedule, now: float) -> float | None:
    """Return when the schedule wants to be looked at again, as nextScheduleTimeDuration.

    Upstream adds 100 ms in case its clock is behind; there is one clock here.
    """
    try:
        found = unmet(cronjob, schedule, now, within_deadline=False)
    except NeverDueError:
        return following(schedule, now)
    return following(schedule, found.since if found.latest is None else found.latest)
