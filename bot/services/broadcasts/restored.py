"""A database that comes from a backup: what it says is still to be sent may have been sent long ago.

Bulk messages wait until somebody says that they may go: a pause of all channels, `nuanxin resume` ends it.
"""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import delete, exists, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert, rows_changed
from bot.i18n import DEFAULT_LOCALE, _
from bot.models import Broadcast, Heartbeat, Outbound, Pause
from bot.services import audit, authority
from bot.services.authority import Member
from bot.services.broadcasts.newsroom import Newsroom

log = structlog.get_logger(__name__)

# The channel of a pause that holds bulk messages everywhere.
EVERYWHERE = "*"
SILENCE = timedelta(hours=1)
_FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


async def hold_if_restored(db: AsyncSession, *, newsroom: Newsroom, now: datetime) -> bool:
    """Hold bulk sending if the newest sign of life is over an hour old while something is to be sent; whether so.

    Meant for the start of a process, before it leaves a sign of life of its own.
    """
    newest = await db.scalar(select(func.max(Heartbeat.at)))
    if newest is None or now - newest <= SILENCE:
        return False
    queued = exists().where(Outbound.state == "queued", Outbound.lane == "bulk")
    sending = exists().where(Broadcast.state == "sending")
    if not await db.scalar(select(literal(1)).where(or_(queued, sending))):
        return False
    said = _("no sign of life since {newest}: was the database restored?", newest=newest)
    values = {"until": _FOREVER, "reason": newsroom.voice(DEFAULT_LOCALE).word(said)}
    held = insert(db, Pause).values(channel=EVERYWHERE, **values).on_conflict_do_nothing()
    if await rows_changed(db, held):
        await audit.record(db, None, "bulk.hold", "bulk", now=now, after={"since": newest.isoformat()})
    log.warning("bulk sending is held until `nuanxin resume`", last_sign_of_life=newest.isoformat())
    return True


async def lift(db: AsyncSession, member: Member | None = None, *, now: datetime) -> bool:
    """Let bulk sending go on, by the word of `member` or of whoever can run commands; whether it was held."""
    if member:
        authority.require(member, "settings.write")
    if not await rows_changed(db, delete(Pause).where(Pause.channel == EVERYWHERE)):
        return False
    await audit.record(db, member, "bulk.resume", "bulk", now=now)
    return True
