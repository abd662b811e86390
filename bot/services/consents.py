"""Consent: asked for by itself, kept with its version and time, as easy to withdraw as to give."""

from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.i18n import _
from bot.models import Consent as Row
from bot.services.seating import private

BOOKING = "booking"
# Raised when the words below change in substance: everybody is asked again.
VERSION = 1
WORDS = _(
    "Before you go on: your name, number and note are kept for this booking only, encrypted. In lists the staff see "
    "them masked; a note to a lawyer is read by that lawyer alone. They are erased 30 days after the date, or at once "
    "when you withdraw this under /privacy. No ID number, no diagnosis, no result is ever asked for."
)


async def given(db: AsyncSession, rider_id: int, purpose: str) -> bool:
    """Whether this rider agreed to the words as they are today and did not withdraw."""
    return bool(await db.scalar(select(is_given(rider_id, purpose))))


async def give(db: AsyncSession, rider_id: int, purpose: str, *, now: datetime) -> None:
    """Note the consent; giving it again changes nothing."""
    if not await given(db, rider_id, purpose):
        db.add(Row(rider_id, purpose=purpose, version=VERSION, given_at=now))
        await db.flush()


async def withdraw(db: AsyncSession, rider_id: int, purpose: str, *, now: datetime) -> None:
    """End the consent and erase what was kept by it: names, phones, notes, answers. Bookings stay, by their code."""
    mine = (Row.rider_id == rider_id, Row.purpose == purpose, Row.withdrawn_at.is_(None))
    await db.execute(update(Row).where(*mine).values(withdrawn_at=now))
    await private.erase_of(db, rider_id)


def is_given(rider_id: int | BindParameter[int], purpose: str) -> ColumnElement[bool]:
    """The same as `given`, as part of another query."""
    return exists().where(
        Row.rider_id == rider_id, Row.purpose == purpose, Row.version == VERSION, Row.withdrawn_at.is_(None)
    )
