"""How it was: one tap, and a word if somebody likes."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import rows_changed
from bot.errors import Problem
from bot.i18n import _
from bot.models import Booking as Row
from bot.services.desk import Desk
from bot.services.seating import private
from bot.services.seating.booking_rows import NoSuchBooking

LONGEST_REMARK = 500


class RemarkTooLong(Problem):
    text = _("Please say it in at most {limit} characters.", limit=LONGEST_REMARK)


async def rate(db: AsyncSession, rider_id: int, *, booking_id: int, stars: int) -> None:
    """Keep 1 to 5 stars for a session that this rider attended; the last word counts. Raises NoSuchBooking."""
    mine = (Row.id == booking_id, Row.rider_id == rider_id, Row.state == "attended")
    if not 1 <= stars <= 5 or not await rows_changed(db, update(Row).where(*mine).values(rating=stars)):
        raise NoSuchBooking


async def remark(db: AsyncSession, rider_id: int, *, booking_id: int, text: str, desk: Desk) -> None:
    """Keep a word about it, encrypted, as long as the booking's other words. Raises NoSuchBooking, RemarkTooLong."""
    if len(text) > LONGEST_REMARK:
        raise RemarkTooLong
    mine = (Row.id == booking_id, Row.rider_id == rider_id, Row.state == "attended")
    sealed = private.seal_remark(text.strip(), desk.seals)
    if not await rows_changed(db, update(Row).where(*mine).values(remark=sealed)):
        raise NoSuchBooking
