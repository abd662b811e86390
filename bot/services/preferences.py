"""What a person wants of notices: none before they agree, which kinds, in which hours, how many a week."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert
from bot.models import MutedTopic, NoticeResponse, NoticeWish

DEFAULT_QUIET = (22 * 60, 7 * 60)
DEFAULT_WEEKLY = 5
# What can be chosen: minutes after local midnight, and how many normal notices a week.
QUIET_HOURS = (DEFAULT_QUIET, (21 * 60, 6 * 60), (0, 8 * 60), (8 * 60, 16 * 60))
WEEKLY = (2, 5, 10)


@dataclass(frozen=True, slots=True)
class Preferences:
    """`agreed` without `off` means that notices come; `quiet` is from and to, in minutes after local midnight."""

    agreed: bool = False
    off: bool = False
    muted: frozenset[str] = frozenset()
    quiet: tuple[int, int] = DEFAULT_QUIET
    weekly: int = DEFAULT_WEEKLY

    @property
    def comes(self) -> bool:
        return self.agreed and not self.off


async def of(db: AsyncSession, rider_id: int) -> Preferences:
    """What this person wants."""
    wish = (await db.execute(select(NoticeWish).where(NoticeWish.rider_id == rider_id))).scalar_one_or_none()
    if wish is None:
        return Preferences()
    muted = await db.scalars(select(MutedTopic.topic).where(MutedTopic.rider_id == rider_id))
    quiet = DEFAULT_QUIET
    if wish.quiet_from is not None and wish.quiet_to is not None:
        quiet = (wish.quiet_from, wish.quiet_to)
    return Preferences(True, wish.off_at is not None, frozenset(muted), quiet, wish.weekly)


async def agree(db: AsyncSession, rider_id: int, *, now: datetime) -> None:
    """Notices may come from now on; agreeing again after stopping all counts as new."""
    values = {"rider_id": rider_id, "agreed_at": now, "weekly": DEFAULT_WEEKLY}
    statement = insert(db, NoticeWish).values(values)
    again = {"agreed_at": now, "off_at": None}
    await db.execute(
        statement.on_conflict_do_update(index_elements=["rider_id"], set_=again, where=NoticeWish.off_at.is_not(None))
    )


async def stop_all(db: AsyncSession, rider_id: int, *, now: datetime) -> None:
    """No notice any more, red ones included; who never agreed is as they were."""
    await db.execute(update(NoticeWish).where(NoticeWish.rider_id == rider_id).values(off_at=now))


async def mute(db: AsyncSession, rider_id: int, topic: str) -> None:
    """No more of this category, but for red ones."""
    await db.execute(insert(db, MutedTopic).values(rider_id=rider_id, topic=topic).on_conflict_do_nothing())


async def unmute(db: AsyncSession, rider_id: int, topic: str) -> None:
    await db.execute(delete(MutedTopic).where(MutedTopic.rider_id == rider_id, MutedTopic.topic == topic))


async def choose_quiet(db: AsyncSession, rider_id: int, quiet: tuple[int, int]) -> None:
    """Nothing but red ones between these minutes after local midnight; one of QUIET_HOURS, else ValueError."""
    if quiet not in QUIET_HOURS:
        raise ValueError(f"no quiet hours {quiet}")
    values = {"quiet_from": quiet[0], "quiet_to": quiet[1]}
    await db.execute(update(NoticeWish).where(NoticeWish.rider_id == rider_id).values(values))


async def choose_weekly(db: AsyncSession, rider_id: int, weekly: int) -> None:
    """At most so many normal notices a week; one of WEEKLY, else ValueError."""
    if weekly not in WEEKLY:
        raise ValueError(f"not {weekly} a week")
    await db.execute(update(NoticeWish).where(NoticeWish.rider_id == rider_id).values(weekly=weekly))


async def inherit(db: AsyncSession, stays: int, goes: int) -> None:
    """Two people turn out to be one, `stays`: the stricter wish holds, and every answer is kept once."""
    wishes = await db.scalars(select(NoticeWish).where(NoticeWish.rider_id.in_((stays, goes))))
    by_rider = {wish.rider_id: wish for wish in wishes}
    if theirs := by_rider.get(goes):
        mine = by_rider.get(stays)
        if mine is None:
            await db.execute(update(NoticeWish).where(NoticeWish.rider_id == goes).values(rider_id=stays))
        elif theirs.off_at and not mine.off_at:
            await stop_all(db, stays, now=theirs.off_at)
    for topic in list(await db.scalars(select(MutedTopic.topic).where(MutedTopic.rider_id == goes))):
        await mute(db, stays, topic)
    answered = select(NoticeResponse.broadcast_id).where(NoticeResponse.rider_id == stays)
    unanswered = NoticeResponse.broadcast_id.not_in(answered.scalar_subquery())
    await db.execute(
        update(NoticeResponse)
        .where(NoticeResponse.rider_id == goes, unanswered)
        .values(rider_id=stays)
        .execution_options(synchronize_session=False)
    )
