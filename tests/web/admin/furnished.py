"""A city with one of everything for the console to show, all of it called by the same words."""

from datetime import timedelta
from typing import Any

from sqlalchemy import String, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import (
    Base,
    Booking,
    Contact,
    Offering,
    Outbound,
    Place,
    PlaceReport,
    Rider,
    SearchCount,
    SessionPattern,
    StaffChat,
)
from bot.models import Session as SessionRow
from bot.services import help_calls, place_pictures
from bot.services.seating import private
from tests.web.admin.conftest import COUNTY, Browser, Desk
from tests.web.admin.test_place_pictures import jpeg

CODE, BOOKING, DAY = "S-1", "ACDE34", "2026-01-15"
# What the patterns of addresses stand for here.
FILLED = {"code": CODE, "id": "1", "day": DAY, "name": "squares"}
# Columns whose words are keys of ours, codes or addresses: nobody types them freely.
_KEYS = frozenset(
    {
        *("code", "kind", "state", "category", "county", "datum", "entry", "hours", "weather_hours", "phone"),
        *("opens", "closes", "channel", "lane", "key", "locale", "user", "what", "square", "vehicle"),
        *("reason", "network", "phone_hash"),
    }
)


async def furnish(desk: Desk, words: str) -> None:
    """One of everything whose free text is `words`; the first of each kind has the number 1."""
    async with desk.database.writing() as db:
        place = Place(CODE, "", "rest_station", desk.now, COUNTY, lat=35.02, lng=110.99, verified_at=desk.now.date())
        rider = Rider(created_at=desk.now, vehicle="truck", county=COUNTY)
        questions = [
            {"key": "q", "kind": "text", "label": {"zh_CN": words, "en": words}},
            *({"key": kind, "kind": kind} for kind in ("name", "phone", "note")),
        ]
        offering = Offering("o1", "health", "", desk.now, questions=questions, reminders=["2h"])
        db.add_all((_named(place, words), rider, _named(offering, words)))
        await db.flush()
        contact = Contact(rider.id, channel="buttons", user="u1", locale="zh_CN", created_at=desk.now)
        session = SessionRow(
            "s1",
            offering.id,
            desk.now + timedelta(hours=2),
            desk.now + timedelta(hours=3),
            5,
            place_id=place.id,
            taken=1,
        )
        pattern = SessionPattern("p1", offering.id, [0], "09:00", "11:00", 30, 2, desk.now.date())
        db.add_all((contact, _named(session, words), _named(pattern, words)))
        await db.flush()
        said = private.sealed(private.Details(words[:40], "13800001234", words, {"q": words}), desk.seals)
        booking = Booking(BOOKING, rider.id, session.id, offering.id, "booked", desk.now, contact.id, **said)
        failed = Outbound(contact.id, "buttons", "answer", "k1", {"text": words}, desk.now, desk.now, state="failed")
        failed.error, failed.tried_at = words[:200], desk.now
        db.add_all((booking, failed, PlaceReport(place.id, rider.id, what="locked", at=desk.now)))
        for n in range(8):
            hour = desk.now - timedelta(hours=n)
            db.add(SearchCount(hour, words[:50], "35.02,110.99", found=False, count=9, people=1 << n))
        await _staffed(db, desk, rider.id, contact.id, words)
        picture = await place_pictures.redrawn(jpeg())
        await place_pictures.put(db, desk.as_role("admin").member, CODE, picture, now=desk.now)
    await _noticed(desk.as_role("admin"), words)


async def _staffed(db: AsyncSession, desk: Desk, rider_id: int, contact_id: int, words: str) -> None:
    await help_calls.ring(
        db, rider_id, broadcast_id=None, note=words, place=words, now=desk.now, desk=desk.console.desk
    )
    db.add(StaffChat(contact_id, staff_id=desk.as_role("admin").member.id, linked_at=desk.now))


async def _noticed(browser: Browser, words: str) -> None:
    notice = {
        "category": "policy",
        "urgency": "normal",
        "title_zh_CN": words[:60].replace("\n", " "),
        "body_zh_CN": words,
        "title_en": words[:60],
        "body_en": words,
        "source": words[:200],
    }
    made = await browser.post("/admin/notices/new", notice)
    assert made.headers["Location"].startswith("/admin/notices/1?"), await made.text()
    proposed = await browser.post("/admin/weather", {"kind": "snow", "level": "red", "hours": "24"})
    assert proposed.status == 303


def _named(row: Any, words: str) -> Base:
    """The row, its free text filled."""
    for column in row.__table__.columns:
        if isinstance(column.type, String) and column.name not in _KEYS and not column.foreign_keys:
            setattr(row, column.name, words)
    assert isinstance(row, Base)
    return row


async def person(desk: Desk) -> int:
    """The number of the rider who is there."""
    async with desk.database.reading() as db:
        return (await db.scalars(select(Rider.id).order_by(Rider.id).limit(1))).one()
