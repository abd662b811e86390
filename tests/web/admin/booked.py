"""Something to book for tests of the console, and riders who book it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import select

from bot.models import AuditEntry, Booking, Contact, Offering, Outbound, Place, Rider, Session
from bot.services import bookings, consents
from bot.services.bookings import Details
from tests.web.admin.conftest import COUNTY, Desk

NAME_AND_PHONE = [{"key": "name", "kind": "name"}, {"key": "phone", "kind": "phone"}]
_NUMBERS = count(1)


@dataclass(frozen=True)
class Fair:
    """A place, an offering, and one session of it in two hours."""

    offering: int
    session: int
    place: int


async def fair(desk: Desk, *, capacity: int = 3, hours: float = 2, **offering: Any) -> Fair:
    """A health check at a place of COUNTY; `hours` is when its session begins."""
    n = next(_NUMBERS)
    values: dict[str, Any] = {"category": "health", "title": "体检", "title_en": "Health check"}
    async with desk.database.writing() as db:
        place = Place(
            f"clinic-{n}", name=f"医院{n}", kind="venue", updated_at=desk.now, county=COUNTY, address="河东街"
        )
        row = Offering(f"check-{n}", updated_at=desk.now, **(values | offering))
        db.add_all([place, row])
        await db.flush()
        made = Fair(row.id, 0, place.id)
    return Fair(
        made.offering,
        await session(desk, made.offering, hours=hours, capacity=capacity, place_id=made.place),
        made.place,
    )


async def session(desk: Desk, offering_id: int, *, hours: float = 2, capacity: int = 3, **more: Any) -> int:
    starts_at = desk.now + timedelta(hours=hours)
    async with desk.database.writing() as db:
        row = Session(
            f"s-{next(_NUMBERS)}",
            offering_id=offering_id,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=1),
            capacity=capacity,
            **more,
        )
        db.add(row)
        await db.flush()
        return row.id


async def rider(desk: Desk, *, locale: str = "en") -> int:
    """Somebody with a chat who agreed that what they say is kept."""
    async with desk.database.writing() as db:
        person = Rider(created_at=desk.now, vehicle="courier", county=COUNTY)
        db.add(person)
        await db.flush()
        user = f"r{next(_NUMBERS)}"
        db.add(Contact(person.id, channel="buttons", user=user, locale=locale, created_at=desk.now))
        await consents.give(db, person.id, consents.BOOKING, now=desk.now)
        return person.id


async def books(desk: Desk, session_id: int, *, locale: str = "en", **said: Any) -> bookings.Booking:
    """A new rider books a seat, in the chat."""
    person = await rider(desk, locale=locale)
    at: dict[str, Any] = {"now": desk.now, "desk": desk.console.desk}
    async with desk.database.writing() as db:
        held = await bookings.hold(db, person, session_id=session_id, **at)
        return await bookings.confirm(db, person, booking_id=held.id, details=Details(**said), **at)


async def state(desk: Desk, booking_id: int) -> str:
    async with desk.database.reading() as db:
        return (await db.scalars(select(Booking.state).where(Booking.id == booking_id))).one()


async def row(desk: Desk, session_id: int) -> Session:
    async with desk.database.reading() as db:
        return (await db.scalars(select(Session).where(Session.id == session_id))).one()


async def messages(desk: Desk) -> list[str]:
    """What waits in the outbox, in order."""
    async with desk.database.reading() as db:
        return [message["text"] for message in await db.scalars(select(Outbound.message).order_by(Outbound.id))]


async def deeds(desk: Desk) -> list[tuple[str, str]]:
    """The audit: who did what, in order."""
    async with desk.database.reading() as db:
        rows = await db.execute(select(AuditEntry.login, AuditEntry.action).order_by(AuditEntry.id))
        return [(login, action) for login, action in rows]


def local(desk: Desk, hours: float) -> datetime:
    """A time of the city so many hours from now."""
    return (desk.now + timedelta(hours=hours)).astimezone(desk.console.desk.zone)
