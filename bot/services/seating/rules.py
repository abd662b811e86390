"""The rules by which somebody may book: eligibility, limits, and the pause after two misses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Prepared
from bot.errors import Problem
from bot.i18n import _
from bot.models import Booking as Row
from bot.models import Session as SessionRow
from bot.models import WeatherAlert
from bot.services.offerings import Offering
from bot.services.seating.booking_rows import SEATED
from bot.services.seating.session_rows import Session

STRIKES_TO_PAUSE = 2
STRIKES_COUNT_FOR = timedelta(days=90)
PAUSE = timedelta(days=14)
# Whoever did not come did not get it, so that does not use up a limit.
_USES_LIMIT = tuple(state for state in SEATED if state != "no_show")
_UNTOLD = ("", "none")


class NotEligible(Problem):
    text = _("This offer is for others: its page says who may book.")


class VehicleNeeded(NotEligible):
    text = _("This offer is for certain drivers. Please say in /settings what you drive, then book again.")


class CountyNeeded(NotEligible):
    text = _("This offer is for certain counties. Please say in /settings where you are, then book again.")


class LimitReached(Problem):
    """One person may not have more of this in the period."""

    def __init__(self, offering: Offering) -> None:
        count, days = offering.limit_count, offering.limit_days
        if days:
            said = _("One person may book this {count} time(s) in {days} days, and you have.", count=count, days=days)
        else:
            said = _("One person may book this {count} time(s), and you have.", count=count)
        super().__init__(said)


class Paused(Problem):
    """Two late cancellations or no-shows: no booking until a time."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__(
            _(
                "Two bookings in 90 days were missed or cancelled late, so booking pauses until {until}. "
                "If that is unfair, please tell the staff: they can undo it.",
                until=until,
            )
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """How often in the last 90 days somebody missed or left late, and until when they cannot book."""

    strikes: int
    paused_until: datetime | None


@dataclass(frozen=True, slots=True)
class Past:
    """A booking as the rules see it."""

    id: int
    state: str
    session_id: int
    offering_id: int
    starts_at: datetime
    struck_at: datetime | None


async def history(db: AsyncSession, rider_id: int) -> list[Past]:
    """Everything of this rider that a rule may look at."""
    return [Past(*row) for row in await _HISTORY.all(db, rider_id=rider_id)]


def standing_of(past: Sequence[Past], now: datetime) -> Standing:
    """Two within 90 days of each other pause booking for 14 days from the later one."""
    struck = sorted(one.struck_at for one in past if one.struck_at)
    recent = [at for at in struck if at > now - STRIKES_COUNT_FOR]
    paused_until = None
    if struck:
        counted = [at for at in struck if at > struck[-1] - STRIKES_COUNT_FOR]
        if len(counted) >= STRIKES_TO_PAUSE and struck[-1] + PAUSE > now:
            paused_until = struck[-1] + PAUSE
    return Standing(len(recent), paused_until)


async def standing(db: AsyncSession, rider_id: int, *, now: datetime) -> Standing:
    """How this rider stands with the rule that everybody can read."""
    return standing_of(await history(db, rider_id), now)


def check(
    offering: Offering, session: Session, past: Sequence[Past], *, vehicle: str, county: str, now: datetime
) -> None:
    """Raise what keeps this person from a seat: NotEligible, Paused or LimitReached."""
    if offering.vehicles and vehicle not in offering.vehicles:
        raise VehicleNeeded if vehicle in _UNTOLD else NotEligible
    if offering.counties and county not in offering.counties:
        raise NotEligible if county else CountyNeeded
    if (until := standing_of(past, now).paused_until) is not None:
        raise Paused(until)
    if uses_up(offering, session, past):
        raise LimitReached(offering)


def uses_up(offering: Offering, session: Session, past: Sequence[Past], *, but: int = 0) -> bool:
    """Whether what somebody has (except booking `but`) leaves no more of the offering in the session's period."""
    if not offering.limit_count:
        return False
    mine = [
        one
        for one in past
        if one.offering_id == offering.id
        and one.state in _USES_LIMIT
        and one.id != but
        and one.session_id != session.id
    ]
    if offering.limit_days:
        period = timedelta(days=offering.limit_days)
        mine = [one for one in mine if abs(one.starts_at - session.starts_at) < period]
    return len(mine) >= offering.limit_count


async def check_phone(db: AsyncSession, offering: Offering, session: Session, phone_hash: str, *, but: int) -> None:
    """The limit once more, by the keyed hash of the phone: raises LimitReached whoever booked with it."""
    if not offering.limit_count or not phone_hash:
        return
    if db.get_bind().dialect.name == "postgresql":
        # Two people with one phone at the same moment: the second waits until the first is known.
        await db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:hash, 0))"), {"hash": phone_hash})
    query = (
        select(func.count())
        .select_from(Row)
        .join(SessionRow, SessionRow.id == Row.session_id)
        .where(Row.phone_hash == phone_hash, Row.offering_id == offering.id, Row.id != but, Row.state.in_(_USES_LIMIT))
    )
    if offering.limit_days:
        period = timedelta(days=offering.limit_days)
        query = query.where(
            SessionRow.starts_at > session.starts_at - period, SessionRow.starts_at < session.starts_at + period
        )
    if (await db.scalar(query) or 0) >= offering.limit_count:
        raise LimitReached(offering)


def is_late(offering: Offering, session: Session, now: datetime) -> bool:
    """Whether leaving now is too late for somebody else to come instead."""
    return now > session.starts_at - timedelta(minutes=offering.cancel_before_min)


async def is_harsh_day(db: AsyncSession, at: datetime, zone: ZoneInfo) -> bool:
    """Whether an orange or red weather alert holds on the local day of `at`: nothing is counted then."""
    day = at.astimezone(zone).date()
    alert = select(WeatherAlert.day).where(WeatherAlert.day == day, WeatherAlert.level.in_(("orange", "red")))
    return await db.scalar(alert) is not None


_HISTORY = Prepared(
    select(Row.id, Row.state, Row.session_id, Row.offering_id, SessionRow.starts_at, Row.struck_at)
    .join(SessionRow, SessionRow.id == Row.session_id)
    .where(Row.rider_id == bindparam("rider_id"), or_(Row.state != "cancelled", Row.struck_at.is_not(None)))
)
