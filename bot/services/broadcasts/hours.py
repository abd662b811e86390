"""When a notice suits people who drive: not at night, and ordinary ones not in the busiest hours of their trade."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

QUIET_FROM, QUIET_TO = 22 * 60, 7 * 60
_MEALS = ((11 * 60, 13 * 60 + 30), (17 * 60, 20 * 60))
_COMMUTE = ((7 * 60, 9 * 60 + 30), (17 * 60, 20 * 60))
# Minutes after local midnight, from and to.
BUSY: dict[str, tuple[tuple[int, int], ...]] = {
    "courier": _MEALS,
    "parcel": _MEALS,
    "ridehail": _COMMUTE,
    "taxi": _COMMUTE,
}
_DAY = 24 * 60
# More steps than there are closed stretches in two days.
_MOST_STEPS = 12


def next_good_time(
    now: datetime, zone: ZoneInfo, *, urgency: str, vehicle: str, quiet_from: int | None, quiet_to: int | None
) -> datetime:
    """`now` if a notice of that urgency may reach this person now, else the first moment when it may.

    `quiet_from`, `quiet_to` are minutes after local midnight; None means 22:00 and 07:00, equal ones no quiet hours.
    A red notice may come at any time, an important one outside the quiet hours, a normal one outside the busy hours
    of the vehicle as well. Whose quiet and busy hours leave no time at all is told when the quiet hours end.
    """
    if urgency == "red":
        return now
    quiet = (QUIET_FROM if quiet_from is None else quiet_from, QUIET_TO if quiet_to is None else quiet_to)
    closed = (quiet, *BUSY.get(vehicle, ())) if urgency == "normal" else (quiet,)
    at = now
    for _step in range(_MOST_STEPS):
        if (later := _after(at, zone, closed)) == at:
            return at
        at = later
    return _after(now, zone, (quiet,))


def _after(at: datetime, zone: ZoneInfo, closed: tuple[tuple[int, int], ...]) -> datetime:
    """The end of the stretch that `at` falls into, or `at` itself."""
    local = at.astimezone(zone)
    minute = local.hour * 60 + local.minute
    for begins, ends in closed:
        if begins <= minute < ends if begins <= ends else (minute >= begins or minute < ends):
            day = local.date() + timedelta(days=1 if minute >= ends else 0)
            end = ends % _DAY
            return datetime.combine(day, time(end // 60, end % 60), zone).astimezone(at.tzinfo)
    return at
