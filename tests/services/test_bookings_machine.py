"""Anything that riders and staff may do, in any order: seats are neither lost nor sold twice."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import func, select

from bot.database import Database
from bot.errors import Problem
from bot.models import Base, Booking, Session
from bot.services import bookings, duties, sessions, waitlist
from bot.services.bookings import LIVE, Details
from tests.services.clinic import DESK, MORNING, Clinic

RIDERS, SESSIONS = 5, 3
people = st.integers(0, RIDERS - 1)
times = st.integers(0, SESSIONS - 1)


class Bookings(RuleBasedStateMachine):
    """Drives one offering with three sessions; each machine starts on empty tables."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clinic = Clinic(Database(self.url))
        self.run(self.begin())

    async def begin(self) -> None:
        clinic = self.clinic
        async with clinic.database.engine.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                await connection.execute(table.delete())
        self.riders = await clinic.riders(RIDERS)
        self.boss = await clinic.staff()
        offering = await clinic.offering(limit_count=2, limit_days=400)
        self.sessions = [await clinic.session(offering, capacity=n + 1, hours=40 + n) for n in range(SESSIONS)]

    def run(self, what: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(what)

    def tries(self, what: Callable[..., Awaitable[Any]], *who: int, **how: Any) -> None:
        """A broken rule is an answer like another; the invariants say whether it was a good one."""
        with suppress(Problem):
            self.run(self.clinic.does(what, *who, **how))

    def one_of(self, rider: int, *states: str) -> int:
        """A booking of this rider in one of `states`, or 0."""

        async def find() -> int:
            query = select(Booking.id).where(Booking.rider_id == self.riders[rider], Booking.state.in_(states))
            async with self.clinic.database.reading() as db:
                return await db.scalar(query.order_by(Booking.id).limit(1)) or 0

        found: int = self.run(find())
        return found

    @rule(rider=people, session=times)
    def hold(self, rider: int, session: int) -> None:
        self.tries(bookings.hold, self.riders[rider], session_id=self.sessions[session])

    @rule(rider=people)
    def confirm(self, rider: int) -> None:
        self.tries(bookings.confirm, self.riders[rider], booking_id=self.one_of(rider, "held"), details=Details())

    @rule(rider=people, session=times)
    def book_or_wait(self, rider: int, session: int) -> None:
        self.hold(rider, session)
        self.confirm(rider)
        self.join(rider, session)

    @rule(rider=people)
    def let_go(self, rider: int) -> None:
        self.tries(bookings.let_go, self.riders[rider], booking_id=self.one_of(rider, "held"))

    @rule(rider=people)
    def cancel(self, rider: int) -> None:
        self.tries(bookings.cancel, self.riders[rider], booking_id=self.one_of(rider, "booked", "waiting", "offered"))

    @rule(rider=people, session=times)
    def move(self, rider: int, session: int) -> None:
        booking = self.one_of(rider, "booked")
        self.tries(bookings.move, self.riders[rider], booking_id=booking, session_id=self.sessions[session])

    @rule(rider=people, session=times)
    def join(self, rider: int, session: int) -> None:
        self.tries(waitlist.join, self.riders[rider], session_id=self.sessions[session], details=Details())

    @rule(rider=people)
    def accept(self, rider: int) -> None:
        self.tries(waitlist.accept, self.riders[rider], booking_id=self.one_of(rider, "offered"))

    @rule(rider=people)
    def decline(self, rider: int) -> None:
        self.tries(waitlist.decline, self.riders[rider], booking_id=self.one_of(rider, "offered"))

    @rule(minutes=st.sampled_from([1, 6, 130, 600]))
    def time_passes(self, minutes: int) -> None:
        self.clinic.passes(minutes=minutes)
        self.run(duties.sweep(self.clinic.database, self.clinic.now, DESK))

    @rule(session=times, capacity=st.integers(0, 4))
    def set_capacity(self, session: int, capacity: int) -> None:
        self.tries(sessions.set_capacity, self.boss, session_id=self.sessions[session], capacity=capacity)

    @rule(session=times)
    @precondition(lambda self: self.clinic.now > MORNING)
    def call_off(self, session: int) -> None:
        self.tries(sessions.cancel, self.boss, session_id=self.sessions[session])

    @invariant()
    def no_seat_is_lost_or_sold_twice(self) -> None:
        self.run(self.clinic.is_sound())

    @invariant()
    def nobody_is_twice_in_one_session(self) -> None:
        async def check() -> None:
            live = Booking.state.in_(LIVE)
            twice = select(Booking.rider_id).where(live).group_by(Booking.rider_id, Booking.session_id)
            holds = select(Booking.rider_id).where(Booking.state == "held").group_by(Booking.rider_id)
            off = select(Booking.id).join(Session, Session.id == Booking.session_id).where(Session.state == "cancelled")
            async with self.clinic.database.reading() as db:
                assert not (await db.scalars(twice.having(func.count() > 1))).all()
                assert not (await db.scalars(holds.having(func.count() > 1))).all()
                assert not (await db.scalars(off.where(live))).all()

        self.run(check())

    @invariant()
    def a_seat_is_free_only_if_nobody_who_could_have_it_waits(self) -> None:
        async def check() -> None:
            waiting = select(func.count()).where(Booking.session_id == Session.id, Booking.state == "waiting")
            free = select(Session.unoffered, waiting.scalar_subquery()).where(
                Session.taken < Session.capacity, Session.state == "open", Session.starts_at > self.clinic.now
            )
            async with self.clinic.database.reading() as db:
                for reason, count in await db.execute(free):
                    assert not count or reason in ("quiet", "too_late", "nobody_fits"), reason

        self.run(check())

    def teardown(self) -> None:
        self.run(self.clinic.database.close())
        self.loop.close()


def drive(url: str, examples: int, steps: int) -> None:
    machine = type("Driven", (Bookings,), {"url": url})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_any_order_on_sqlite(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "machine.db")
    drive(f"sqlite:///{tmp_path}/machine.db", examples=12, steps=30)


def test_any_order_on_postgresql(postgres_url: str) -> None:
    drive(postgres_url, examples=4, steps=25)
