"""An installation with something to book, for tests of the rules: every step is a transaction of its own."""

import inspect
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from bot.database import Database
from bot.models import Booking, Contact, Offering, Outbound, Rider, Session, StaffMember
from bot.seals import Seals
from bot.services import bookings, consents
from bot.services.bookings import SEATED, Details
from bot.services.desk import Desk

ZONE = ZoneInfo("Asia/Shanghai")
# A Monday, 09:00 in Yuncheng.
MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
DESK = Desk(Seals("a secret for tests"), ZONE, demo=True, public_url="https://nuanxin.example")
T = TypeVar("T")


@dataclass
class Clinic:
    database: Database
    now: datetime = MORNING
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def rider(self, vehicle: str = "courier", county: str = "140802", locale: str = "en") -> int:
        async with self.database.writing() as db:
            rider = Rider(created_at=self.now, vehicle=vehicle, county=county)
            db.add(rider)
            await db.flush()
            user = f"u{next(self.numbers)}"
            db.add(Contact(rider.id, channel="buttons", user=user, locale=locale, created_at=self.now))
            return rider.id

    async def riders(self, count: int) -> list[int]:
        """Many at once, each reachable."""
        async with self.database.writing() as db:
            people = [Rider(created_at=self.now, vehicle="courier", county="140802") for _n in range(count)]
            db.add_all(people)
            await db.flush()
            db.add_all(
                Contact(one.id, channel="buttons", user=f"u{next(self.numbers)}", locale="en", created_at=self.now)
                for one in people
            )
            return [one.id for one in people]

    async def staff(self, role: str = "operator", **more: Any) -> int:
        async with self.database.writing() as db:
            login = f"{role}{next(self.numbers)}"
            member = StaffMember(login=login, password_hash="", role=role, created_at=self.now, **more)
            db.add(member)
            await db.flush()
            return member.id

    async def offering(self, **more: Any) -> int:
        values: dict[str, Any] = {"category": "health", "title": "体检", "title_en": "Health check"}
        async with self.database.writing() as db:
            offering = Offering(code=f"o{next(self.numbers)}", updated_at=self.now, **(values | more))
            db.add(offering)
            await db.flush()
            return offering.id

    async def session(self, offering_id: int, *, capacity: int = 1, hours: float = 72, **more: Any) -> int:
        starts_at = self.now + timedelta(hours=hours)
        values: dict[str, Any] = {"ends_at": starts_at + timedelta(hours=1), "address": "王茅镇"}
        async with self.database.writing() as db:
            code = f"s{next(self.numbers)}"
            session = Session(code, offering_id=offering_id, starts_at=starts_at, capacity=capacity, **(values | more))
            db.add(session)
            await db.flush()
            return session.id

    async def does(self, what: Callable[..., Awaitable[T]], *who: Any, **how: Any) -> T:
        """Call a service in a transaction, with the clock and the desk if it wants them."""
        names = inspect.signature(what).parameters
        given = {"now": self.now, "desk": DESK}
        how = {name: value for name, value in given.items() if name in names} | how
        async with self.database.writing() as db:
            return await what(db, *who, **how)

    async def holds(self, rider: int, session: int, **how: Any) -> bookings.Booking:
        return await self.does(bookings.hold, rider, session_id=session, **how)

    async def books(self, rider: int, session: int, details: Details | None = None) -> bookings.Booking:
        held = await self.holds(rider, session)
        return await self.does(bookings.confirm, rider, booking_id=held.id, details=details or Details())

    async def agrees(self, rider: int) -> None:
        await self.does(consents.give, rider, consents.BOOKING)

    async def state(self, booking_id: int) -> str:
        async with self.database.reading() as db:
            return (await db.scalars(select(Booking.state).where(Booking.id == booking_id))).one()

    async def row(self, session_id: int) -> Session:
        async with self.database.reading() as db:
            return (await db.scalars(select(Session).where(Session.id == session_id))).one()

    async def messages(self) -> list[str]:
        async with self.database.reading() as db:
            kept = await db.scalars(select(Outbound.message).order_by(Outbound.id))
            return [message["text"] for message in kept]

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)

    async def is_sound(self) -> None:
        """Every session counts exactly the seats that its bookings have, and has no more of them than seats."""
        seated = select(func.count()).where(Booking.session_id == Session.id, Booking.state.in_(SEATED))
        query = select(Session.id, Session.taken, Session.capacity, seated.scalar_subquery())
        async with self.database.reading() as db:
            for id, taken, capacity, count in await db.execute(query):
                assert taken == count, f"session {id} counts {taken} seats, and {count} are taken"
                assert taken <= capacity
