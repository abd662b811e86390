"""Something of every kind to book, and people who run it."""

import base64
import io
from datetime import datetime, timedelta
from typing import Any

import zxingcpp
from PIL import Image
from sqlalchemy import func, select, update

from bot.messages import Button, Outgoing
from bot.models import Booking, Contact, Offering, Session, StaffChat, StaffMember
from bot.services.bookings import SEATED
from bot.services.offerings import CATEGORY_NAMES
from tests.chat import DESK, RiderInTest, World

NAME = {"key": "name", "kind": "name"}
PHONE = {"key": "phone", "kind": "phone"}

OFFERINGS: dict[str, dict[str, Any]] = {
    "health": {
        "title": "骑手健康体检",
        "title_en": "Riders' health check",
        "bring_en": "ID card; come with an empty stomach",
        "bring": "身份证；空腹",
        "questions": [NAME, PHONE],
        "cancel_before_min": 24 * 60,
        "contact": "0359-2000002",
    },
    "legal": {
        "title": "律师面对面",
        "title_en": "A lawyer's hour",
        "questions": [{"key": kind, "kind": kind} for kind in ("topic", "way", "note")],
    },
    "training": {
        "title": "直播技能公益培训",
        "title_en": "Live-streaming course",
        "questions": [
            {
                "key": "level",
                "kind": "choice",
                "label": {"zh_CN": "基础如何？", "en": "How much do you know?"},
                "options": [{"zh_CN": "零基础", "en": "Nothing"}, {"zh_CN": "会一点", "en": "A little"}],
            }
        ],
    },
    "event": {
        "title": "冬至饺子宴",
        "title_en": "Dumpling feast",
        "questions": [{"key": "with", "kind": "number", "label": {"zh_CN": "几个人来？", "en": "How many of you?"}}],
    },
    "volunteer": {"title": "文明交通志愿岗", "title_en": "Traffic volunteers", "approval": True},
    "gift": {"title": "温暖大礼包", "title_en": "Winter gift pack", "limit_count": 1, "demo": True},
    "venue": {
        "title": "职工球馆",
        "title_en": "Workers' sports hall",
        "questions": [{"key": "own", "kind": "yesno", "label": {"zh_CN": "自带球拍吗？", "en": "Your own racket?"}}],
    },
}


class Fair:
    """The offerings of a world, by their category."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def opens(self, *categories: str, **more: Any) -> None:
        """Publish the offerings of these categories, each with three dates from the day after tomorrow on."""
        for category in categories or tuple(CATEGORY_NAMES):
            await self.offers(category, **more)

    async def offers(self, category: str, *, sessions: int = 3, capacity: int = 5, **more: Any) -> int:
        async with self.world.database.writing() as db:
            count = await db.scalar(select(func.count()).select_from(Offering)) or 0
            row = Offering(
                f"{category}-{count}",
                category=category,
                updated_at=self.world.now,
                **(OFFERINGS[category] | more),
            )
            db.add(row)
            await db.flush()
            number = row.id
        for day in range(sessions):
            await self.session(number, self.world.now + timedelta(days=2 + day, hours=1), capacity=capacity)
        return number

    async def session(self, offering_id: int, starts_at: datetime, *, capacity: int = 5, **more: Any) -> int:
        async with self.world.database.writing() as db:
            count = await db.scalar(select(func.count()).select_from(Session)) or 0
            row = Session(
                f"s{count}",
                offering_id=offering_id,
                starts_at=starts_at,
                ends_at=starts_at + timedelta(hours=1),
                capacity=capacity,
                **({"address": "王茅镇"} | more),
            )
            db.add(row)
            await db.flush()
            return row.id

    async def withdraws(self) -> None:
        async with self.world.database.writing() as db:
            await db.execute(update(Offering).values(state="hidden"))

    async def fills(self, count: int) -> None:
        """Strangers book `count` seats of every session."""
        for n in range(count):
            stranger = self.world.rider(f"stranger{n}")
            for session_id in await self._sessions():
                await stranger.presses("book")
                await stranger.taps(f"{await self._label(session_id)}")
                await stranger.taps("Yes, book it")

    async def _sessions(self) -> list[int]:
        async with self.world.database.reading() as db:
            return list(await db.scalars(select(Session.id).order_by(Session.id)))

    async def _label(self, session_id: int) -> str:
        async with self.world.database.reading() as db:
            starts_at = (await db.scalars(select(Session.starts_at).where(Session.id == session_id))).one()
        return day(starts_at)

    async def states(self) -> list[str]:
        async with self.world.database.reading() as db:
            return list(await db.scalars(select(Booking.state).order_by(Booking.id)))

    async def codes(self) -> list[str]:
        async with self.world.database.reading() as db:
            return list(await db.scalars(select(Booking.code).order_by(Booking.id)))

    async def employs(self, person: RiderInTest, role: str = "operator", **more: Any) -> int:
        """Make this person's chat that of somebody on the staff."""
        await person.says("/menu")
        async with self.world.database.writing() as db:
            member = StaffMember(
                login=f"{role}-{person.address.user}", password_hash="", role=role, created_at=self.world.now, **more
            )
            db.add(member)
            await db.flush()
            contact = select(Contact.id).where(Contact.user == person.address.user)
            db.add(StaffChat((await db.scalars(contact)).one(), staff_id=member.id, linked_at=self.world.now))
            return member.id

    async def is_sound(self) -> None:
        """Every session counts exactly the seats that its bookings have, and has no more of them than seats."""
        seated = select(func.count()).where(Booking.session_id == Session.id, Booking.state.in_(SEATED))
        query = select(Session.taken, Session.capacity, seated.scalar_subquery())
        async with self.world.database.reading() as db:
            for taken, capacity, count in await db.execute(query):
                assert taken == count
                assert taken <= capacity


def day(at: datetime) -> str:
    """A date as riders read it in English: `Wed 25 Nov`."""
    local = at.astimezone(DESK.zone)
    return f"{local:%a} {local.day} {local:%b}"


def scanned(message: Outgoing) -> str:
    """What an independent reader sees in the message's QR picture."""
    picture = Image.open(io.BytesIO(base64.b64decode(message.photo, validate=True)))
    assert picture.format == "PNG"
    [found] = zxingcpp.read_barcodes(picture.convert("L"))
    return str(found.text)


def link(message: Outgoing, part: str) -> Button:
    """The button of `message` whose label has `part`."""
    return next(button for row in message.buttons for button in row if part in button.label)
