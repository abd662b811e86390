"""What is personal in a booking: encrypted when it is kept, masked when it is listed, erased in time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import rows_changed
from bot.errors import Problem
from bot.i18n import _
from bot.models import Booking as Row
from bot.models import Offering as OfferingRow
from bot.models import Session as SessionRow
from bot.seals import Seals
from bot.services.desk import Desk
from bot.services.offerings import BadAnswer, Offering, mobile
from bot.services.seating.booking_rows import NoSuchBooking

KEPT_FOR = timedelta(days=30)
_ERASED: dict[str, Any] = dict.fromkeys(("name", "phone", "note", "answers", "remark"))
_OPTIONAL = frozenset({"name", "note"})


class NotYours(Problem):
    text = _("Only the lawyer of this session can read the note.")


@dataclass(frozen=True, slots=True)
class Details:
    """What somebody said of themselves for a booking; `answers` are by the keys of the offering's questions."""

    name: str = ""
    phone: str = ""
    note: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)


def checked(details: Details, offering: Offering) -> Details:
    """Only what the offering asks for, tidied; raises BadPhone or BadAnswer. A name and a note may be left out."""
    plain = {"name": details.name, "phone": details.phone, "note": details.note}
    answers = {}
    for question in offering.questions:
        said = plain.get(question.kind) if question.kind in plain else details.answers.get(question.key)
        if not said and question.kind in _OPTIONAL:
            continue
        if question.kind in plain:
            plain[question.kind] = question.read(said or "")
        elif said:
            answers[question.key] = question.read(said)
        else:
            raise BadAnswer
    asked = {kind: value if offering.asks(kind) else "" for kind, value in plain.items()}
    return Details(**asked, answers=answers)


def sealed(details: Details, seals: Seals) -> dict[str, Any]:
    """The columns that keep `details`: encrypted, the phone by a keyed hash as well."""
    answers = json.dumps(dict(details.answers), ensure_ascii=False) if details.answers else ""
    return {
        "name": _sealed(details.name, "booking-name", seals),
        "phone": _sealed(details.phone, "booking-phone", seals),
        "note": _sealed(details.note, "booking-note", seals),
        "answers": _sealed(answers, "booking-answers", seals),
        "phone_hash": phone_hash(details.phone, seals),
    }


def phone_hash(phone: str, seals: Seals) -> str:
    """The same for every way to write a number, and nothing to anybody without our key."""
    return seals.signature("booking-phone-hash", mobile(phone)) if phone else ""


async def details_of(db: AsyncSession, rider_id: int, *, booking_id: int, desk: Desk) -> Details:
    """What this rider said for a booking of theirs; raises NoSuchBooking."""
    query = select(Row.name, Row.phone, Row.note, Row.answers).where(Row.id == booking_id, Row.rider_id == rider_id)
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise NoSuchBooking
    answers = opened(row.answers, "booking-answers", desk.seals)
    return Details(
        opened(row.name, "booking-name", desk.seals),
        opened(row.phone, "booking-phone", desk.seals),
        opened(row.note, "booking-note", desk.seals),
        json.loads(answers) if answers else {},
    )


async def note_for(db: AsyncSession, staff_id: int, *, booking_id: int, desk: Desk) -> str:
    """The note of a booking, for the lawyer to whom its session is assigned; raises NotYours."""
    query = (
        select(Row.note)
        .join(SessionRow, SessionRow.id == Row.session_id)
        .where(Row.id == booking_id, SessionRow.lawyer_id == staff_id)
    )
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise NotYours
    return opened(row.note, "booking-note", desk.seals)


async def erase_old(db: AsyncSession, *, now: datetime) -> int:
    """Forget what was said 30 days after the session ended; returns how many bookings.

    The keyed hash of a phone stays as long as it limits something, and is nobody's number to anybody else.
    """
    ended = select(SessionRow.id).where(SessionRow.ends_at < now - KEPT_FOR)
    is_kept = or_(*(getattr(Row, name).is_not(None) for name in _ERASED))
    erased = await rows_changed(db, update(Row).where(Row.session_id.in_(ended), is_kept).values(_ERASED))
    hashed = select(Row.id, SessionRow.ends_at, OfferingRow.limit_count, OfferingRow.limit_days).where(
        Row.phone_hash != "", SessionRow.ends_at < now - KEPT_FOR
    )
    hashed = hashed.join(SessionRow, SessionRow.id == Row.session_id).join(
        OfferingRow, OfferingRow.id == Row.offering_id
    )
    over = [
        id
        for id, ended_at, count, days in await db.execute(hashed)
        if not count or (days and ended_at + timedelta(days=days) < now)
    ]
    if over:
        await db.execute(update(Row).where(Row.id.in_(over)).values(phone_hash=""))
    return erased


async def erase_of(db: AsyncSession, rider_id: int) -> None:
    """Forget what this rider said for any booking; the bookings themselves stand."""
    await db.execute(update(Row).where(Row.rider_id == rider_id).values(_ERASED | {"phone_hash": "", "network": ""}))


def masked_name(name: str) -> str:
    """王** for 王小明: the first character says enough to call somebody."""
    return f"{name[:1]}**" if name else ""


def masked_phone(phone: str) -> str:
    """138****0000: the ends say enough to recognise one's own."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 11 else ("****" if phone else "")


def opened(kept: bytes | None, purpose: str, seals: Seals) -> str:
    """What was sealed for `purpose`; nothing for nothing."""
    return seals.decrypt(kept, purpose) if kept else ""


def seal_remark(text: str, seals: Seals) -> bytes:
    return seals.encrypt(text, "booking-remark")


def opened_remark(kept: bytes | None, seals: Seals) -> str:
    return opened(kept, "booking-remark", seals)


def _sealed(plain: str, purpose: str, seals: Seals) -> bytes | None:
    return seals.encrypt(plain, purpose) if plain else None
