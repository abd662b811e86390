"""A city with something to tell, for tests of notices: staff who write and approve, riders who agreed or not."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import select, update

from bot.database import Database
from bot.models import Broadcast, Contact, MutedTopic, NoticeWish, Outbound, StaffChat
from bot.schedule import Jobs, Ticker
from bot.services import authority
from bot.services.authority import Member
from bot.services.broadcasts import composing, jobs
from bot.services.broadcasts.audience import Reach
from bot.services.broadcasts.composing import Draft
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.notices import Words
from tests.services.clinic import ZONE, Clinic

REACH = Reach(
    pushing=frozenset({"buttons"}),
    windowed=frozenset({"letters"}),
    present=frozenset({"page"}),
    editing=frozenset({"buttons"}),
    limits={"buttons": 4096, "letters": 600},
)
NEWSROOM = Newsroom(REACH, ZONE, pages=frozenset({"sleeping-in-the-cab"}))
COAL_GAS = {
    "zh_CN": Words("谨防煤气中毒", "睡前熄火,留一条窗缝。"),
    "zh_TW": Words("謹防煤氣中毒", "睡前熄火,留一條窗縫。"),
    "en": Words("Beware of coal gas", "Put the stove out before you sleep, leave the window ajar."),
}
T = TypeVar("T")


def draft(**more: Any) -> Draft:
    values: dict[str, Any] = {"category": "winter_safety", "texts": COAL_GAS, "source": "市应急管理局"}
    return Draft(**(values | more))


@dataclass
class Newsdesk:
    clinic: Clinic

    @property
    def database(self) -> Database:
        return self.clinic.database

    async def member(self, role: str = "editor", counties: list[str] | None = None) -> Member:
        staff_id = await self.clinic.staff(role, counties=counties or [])
        async with self.database.reading() as db:
            return await authority.member(db, staff_id)

    async def people(self) -> tuple[Member, Member]:
        """Somebody who writes and somebody who approves."""
        return await self.member("editor"), await self.member("approver")

    async def rider(self, *, mutes: str = "", off: bool = False, **who: str) -> int:
        """Somebody who agreed to notices."""
        rider_id = await self.clinic.rider(**who)
        async with self.database.writing() as db:
            db.add(NoticeWish(rider_id, agreed_at=self.clinic.now, off_at=self.clinic.now if off else None))
            if mutes:
                db.add(MutedTopic(rider_id, topic=mutes))
        return rider_id

    async def does(self, what: Callable[..., Awaitable[T]], *who: Any, **how: Any) -> T:
        """Call a service in a transaction, with the clock and what it must know of the channels."""
        if "newsroom" in what.__annotations__:
            how = {"newsroom": NEWSROOM} | how
        return await self.clinic.does(what, *who, **how)

    async def approved(self, author: Member, approver: Member, **more: Any) -> int:
        number = await self.does(composing.compose, author, draft(**more))
        await self.does(composing.submit, author, number)
        await self.does(composing.approve, approver, number)
        return number

    async def sending(self, author: Member, approver: Member, states: dict[int, str], **more: Any) -> int:
        """A broadcast under way, with a row in some state for each of these riders."""
        number = await self.approved(author, approver, **more)
        async with self.database.writing() as db:
            await db.execute(update(Broadcast).values(state="sending").where(Broadcast.id == number))
            contacts = await db.scalars(select(Contact).where(Contact.rider_id.in_(states)))
            for contact in contacts.all():
                state = states[contact.rider_id]
                row = Outbound(
                    contact_id=contact.id,
                    channel=contact.channel,
                    lane="bulk",
                    key=f"b{number}:{contact.rider_id}",
                    message={},
                    at=self.clinic.now,
                    due=self.clinic.now,
                    broadcast_id=number,
                    state=state,
                    provider_id=f"m{contact.id}" if state == "sent" else "",
                    error="HTTP 400" if state == "failed" else "",
                )
                db.add(row)
        return number

    async def state(self, number: int) -> str:
        async with self.database.reading() as db:
            return (await db.scalars(select(Broadcast.state).where(Broadcast.id == number))).one()

    async def rows(self, number: int) -> list[str]:
        async with self.database.reading() as db:
            mine = select(Outbound.state).where(Outbound.broadcast_id == number).order_by(Outbound.id)
            return list(await db.scalars(mine))

    async def in_chat(self, member: Member) -> None:
        """This member links a chat, in English."""
        contact = Contact(
            await self.clinic.rider(), channel="buttons", user=member.login, locale="en", created_at=self.clinic.now
        )
        async with self.database.writing() as db:
            db.add(contact)
            await db.flush()
            db.add(StaffChat(contact.id, staff_id=member.id, linked_at=self.clinic.now))

    async def told(self) -> list[tuple[str, str]]:
        """What the staff were told in their chats: to whom, and how it begins."""
        query = select(Contact.user, Outbound.message).join(Contact, Contact.id == Outbound.contact_id)
        query = query.join(StaffChat, StaffChat.contact_id == Contact.id).where(Outbound.state == "queued")
        async with self.database.reading() as db:
            rows = await db.execute(query.order_by(Outbound.id))
            return [(user, message["text"].partition(",")[0].partition(":")[0]) for user, message in rows]

    async def hears_nothing_more(self) -> None:
        """The staff have read what they were told."""
        async with self.database.writing() as db:
            await db.execute(update(Outbound).where(Outbound.lane == "personal").values(state="sent"))

    async def tick(self, **time: float) -> None:
        """Time goes by, and what is due is done."""
        self.clinic.passes(**time)
        known = Jobs()
        jobs.register(known, NEWSROOM)
        await Ticker(self.database, known, lambda: self.clinic.now).tick()
