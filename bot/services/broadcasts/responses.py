"""What riders do with a notice: read it again, tap its buttons, answer a roll call."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert
from bot.i18n import Voice
from bot.messages import Outgoing
from bot.models import Broadcast, Contact, Notice, NoticeResponse, Outbound
from bot.services import notices

# A rider reads what was sent to them or still waits for them, whatever became of the broadcast's queue since.
_THEIRS = ("sent", "waiting", "digest")


async def letter_to(db: AsyncSession, broadcast_id: int, rider_id: int, *, voice: Voice) -> Outgoing | None:
    """The letter of a broadcast that went to this rider; None for one that did not, or was withdrawn."""
    found = await _theirs(db, broadcast_id, rider_id)
    if found is None or found.state == "withdrawn":
        return None
    return notices.letter(found.Notice, voice, broadcast_id)


async def press(db: AsyncSession, broadcast_id: int, rider_id: int, *, n: int, now: datetime) -> dict[str, Any] | None:
    """Note that this rider tapped button `n` of a notice of theirs, and return the button; None for a forged one.

    Of the answers to a roll call the last one counts, but a call for help is never taken back by it.
    """
    found = await _theirs(db, broadcast_id, rider_id)
    if found is None or found.state == "withdrawn" or n >= len(found.Notice.buttons):
        return None
    button: dict[str, Any] = found.Notice.buttons[n]
    seen = {"read_at": now, "tapped_at": now}
    if button["kind"] in notices.ANSWERS:
        seen |= {"reply": button["kind"], "replied_at": now}
    row = {"broadcast_id": broadcast_id, "rider_id": rider_id, "reply": ""} | seen
    earlier: dict[str, Any] = {
        "read_at": func.coalesce(NoticeResponse.read_at, now),
        "tapped_at": func.coalesce(NoticeResponse.tapped_at, now),
    }
    if button["kind"] in notices.ANSWERS:
        earlier |= {"reply": button["kind"], "replied_at": now}
    statement = insert(db, NoticeResponse).values(row)
    keeps_help = NoticeResponse.reply != "help" if button["kind"] == "received" else None
    await db.execute(
        statement.on_conflict_do_update(index_elements=["broadcast_id", "rider_id"], set_=earlier, where=keeps_help)
    )
    return button


async def note_read(db: AsyncSession, broadcast_id: int, rider_id: int, *, now: datetime) -> None:
    """This rider has read it."""
    row = {"broadcast_id": broadcast_id, "rider_id": rider_id, "read_at": now, "reply": ""}
    await db.execute(insert(db, NoticeResponse).values(row).on_conflict_do_nothing())


async def _theirs(db: AsyncSession, broadcast_id: int, rider_id: int) -> Any:
    query = (
        select(Notice, Broadcast.state)
        .join(Broadcast, Broadcast.notice_id == Notice.id)
        .join(Outbound, Outbound.broadcast_id == Broadcast.id)
        .join(Contact, Contact.id == Outbound.contact_id)
        .where(Broadcast.id == broadcast_id, Contact.rider_id == rider_id, Outbound.state.in_(_THEIRS))
        .limit(1)
    )
    return (await db.execute(query)).first()
