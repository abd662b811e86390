"""The Sunday digest: normal notices over somebody's weekly number, together in one message."""

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import JSON, String, cast, exists, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert
from bot.i18n import DEFAULT_LOCALE, Voice, _
from bot.messages import Button, Outgoing
from bot.models import Broadcast, Contact, MutedTopic, Notice, NoticeWish, Outbound
from bot.outbox import LOOSE
from bot.schedule import later

JOB = "notices.digest"
_SUNDAY = 6
_AT = time(10)
_MOST_LISTED = 10
_MUTED = exists().where(MutedTopic.rider_id == Contact.rider_id, MutedTopic.topic == Notice.category)


def next_digest(now: datetime, zone: ZoneInfo) -> datetime:
    """The next Sunday at 10:00 in `zone`, later than `now`."""
    today = now.astimezone(zone).date()
    sunday = today + timedelta(days=_SUNDAY - today.weekday())
    at = datetime.combine(sunday, _AT, zone)
    return at if at > now else at + timedelta(days=7)


async def expect(db: AsyncSession, now: datetime, zone: ZoneInfo) -> None:
    """See to it that there is a digest on the next Sunday."""
    at = next_digest(now, zone)
    await later(db, at, JOB, key=f"{JOB}:{at.date()}", day=at.date().isoformat())


async def gather(db: AsyncSession, now: datetime, *, day: str) -> None:
    """Queue one message for each contact for whom anything was put by; it is worded when it goes out."""
    contacts = select(Outbound.contact_id).where(Outbound.state == "digest")
    columns = {
        "contact_id": Contact.id,
        "channel": Contact.channel,
        "lane": literal("bulk"),
        "key": literal(f"digest:{date.fromisoformat(day)}:") + cast(Contact.id, String),
        "message": literal({"digest": day}, JSON),
        "at": literal(now, Outbound.at.type),
        "due": literal(now, Outbound.due.type),
        "rank": literal(LOOSE),
        "state": literal("queued"),
        "tries": literal(0),
        "error": literal(""),
        "provider_id": literal(""),
    }
    chosen = select(*columns.values()).where(Contact.id.in_(contacts), Contact.stopped_at.is_(None), true())
    put = insert(db, Outbound).from_select(list(columns), chosen, include_defaults=False)
    await db.execute(put.on_conflict_do_nothing())


class Digests:
    """What the digests of some contacts list: read in one query, worded one by one."""

    def __init__(self) -> None:
        self._listed: dict[int, list[tuple[int, int, dict[str, dict[str, str]]]]] = {}

    async def read(self, db: AsyncSession, contact_ids: Collection[int], now: datetime) -> None:
        """Read what is put by for these contacts, still holds, and is still wanted."""
        query = (
            select(Outbound.contact_id, Outbound.id, Broadcast.id, Notice.texts)
            .join(Broadcast, Broadcast.id == Outbound.broadcast_id)
            .join(Notice, Notice.id == Broadcast.notice_id)
            .join(Contact, Contact.id == Outbound.contact_id)
            .join(NoticeWish, NoticeWish.rider_id == Contact.rider_id)
            .where(Outbound.contact_id.in_(contact_ids), Outbound.state == "digest", NoticeWish.off_at.is_(None))
            .where(or_(Notice.valid_until.is_(None), Notice.valid_until > now), ~_MUTED)
            .order_by(Outbound.id.desc())
        )
        for contact_id, id, broadcast_id, texts in await db.execute(query):
            self._listed.setdefault(contact_id, []).append((id, broadcast_id, texts))

    def rows(self, contact_id: int) -> tuple[int, ...]:
        """The rows that go out with this contact's digest."""
        return tuple(id for id, _broadcast_id, _texts in self._listed.get(contact_id, ()))

    def letter(self, contact_id: int, voice: Voice) -> Outgoing | None:
        """The digest, with a button to read each; None if nothing is left to tell."""
        listed = self._listed.get(contact_id)
        if not listed:
            return None
        titled = [(str((texts.get(voice.locale) or texts[DEFAULT_LOCALE])["title"]), n) for _id, n, texts in listed]
        lines = [
            voice.word(_("This week's other notices; tap one to read it:")),
            *(f"· {title}" for title, _n in titled),
        ]
        rows = [(Button(title, f"nread.{n}"),) for title, n in titled[:_MOST_LISTED]]
        return Outgoing("\n".join(lines), tuple(rows))
