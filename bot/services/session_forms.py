"""The forms of sessions and patterns: from typed cells to times, a place of the directory, a lawyer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.i18n import Text, _
from bot.models import Place, StaffMember
from bot.services.place_desk import Misfilled
from bot.services.place_files.cells import BadCell, count, day, limited, must_be_there, short, tidy
from bot.services.seating.session_rows import Session

FIELDS = ("day", "starts", "ends", "overnight", "capacity", "place", "address", "lawyer")
_SUGGESTED = 5

Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Where:
    """A place of the directory, or an address alone. `county` is a GB/T 2260 code or nothing."""

    place_id: int | None = None
    code: str | None = None
    name: str | None = None
    place_address: str | None = None
    county: str | None = None


@dataclass(frozen=True, slots=True)
class Filled:
    """A form of a session, read: times are aware."""

    starts_at: datetime
    ends_at: datetime
    capacity: int
    where: Where
    address: str
    lawyer_id: int | None


async def lawyers(db: AsyncSession) -> dict[int, str]:
    """Whom a consultation can be assigned to: number and login."""
    query = select(StaffMember.id, StaffMember.login).where(
        StaffMember.role == "lawyer", StaffMember.disabled_at.is_(None)
    )
    return {id: login for id, login in await db.execute(query.order_by(StaffMember.login))}


async def read(db: AsyncSession, cells: Cells, zone: ZoneInfo) -> Filled:
    """A form with FIELDS; raises Misfilled."""
    values, faults = values_of(cells, {"day": day, "starts": clock, "ends": clock, "capacity": count})
    where, address, lawyer_id = await read_where(db, cells, faults)
    starts, ends = values.get("starts"), values.get("ends")
    is_overnight = cells.get("overnight") == "1"
    if starts and ends and not is_overnight and ends <= starts:
        faults["ends"] = _("The end must be later than the beginning, or on the next day.")
    if starts and ends and is_overnight and ends > starts:
        faults["ends"] = _("A session lasts a day at most.")
    if faults or where is None:
        raise Misfilled(faults)
    first: date = values["day"]
    last = first + timedelta(days=1) if is_overnight else first
    starts_at, ends_at = datetime.combine(first, values["starts"], zone), datetime.combine(last, values["ends"], zone)
    return Filled(starts_at, ends_at, values["capacity"], where, address, lawyer_id)


def cells_of(session: Session, zone: ZoneInfo) -> dict[str, str]:
    """The session as its form shows it."""
    starts, ends = (at.astimezone(zone) for at in (session.starts_at, session.ends_at))
    return {
        "day": f"{starts:%Y-%m-%d}",
        "starts": f"{starts:%H:%M}",
        "ends": f"{ends:%H:%M}",
        "overnight": "1" if ends.date() > starts.date() else "",
        "capacity": str(session.capacity),
        "place": session.place_code or "",
        "address": session.address,
        "lawyer": str(session.lawyer_id or ""),
    }


def values_of(cells: Cells, readers: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Text]]:
    """What must be there, read, and what is wrong with it."""
    values, faults = {}, {}
    for name, reader in readers.items():
        try:
            text = tidy(cells.get(name, ""))
            if not text:
                must_be_there()
            values[name] = reader(text)
        except BadCell as bad:
            faults[name] = bad.reason
    return values, faults


async def read_where(db: AsyncSession, cells: Cells, faults: dict[str, Text]) -> tuple[Where | None, str, int | None]:
    """The cells `place` (a code or a name), `address` and `lawyer`; what is wrong goes to `faults`."""
    where, address, lawyer_id = None, "", None
    try:
        where = await _place(db, tidy(cells.get("place", "")))
    except BadCell as bad:
        faults["place"] = bad.reason
    try:
        address = limited(300)(tidy(cells.get("address", "")))
    except BadCell as bad:
        faults["address"] = bad.reason
    if assigned := cells.get("lawyer", ""):
        known = {str(id): id for id in await lawyers(db)}
        if assigned in known:
            lawyer_id = known[assigned]
        else:
            faults["lawyer"] = _("not known: {value}", value=short(assigned))
    return where, address, lawyer_id


def clock(text: str) -> time:
    """A time of the day such as 09:00; raises BadCell."""
    if not re.fullmatch(r"([01]?[0-9]|2[0-3])[:：][0-5][0-9]", text):
        raise BadCell(_("not a time such as 09:00: {value}", value=short(text)))
    return time.fromisoformat(text.replace("：", ":").zfill(5))


async def _place(db: AsyncSession, text: str) -> Where:
    if not text:
        return Where()
    columns = (Place.id, Place.code, Place.name, Place.address, Place.county)
    is_it = or_(Place.code == text, Place.name == text)
    query = select(*columns).where(is_it, Place.state != "removed").order_by(Place.code != text, Place.code)
    rows = (await db.execute(query.limit(_SUGGESTED))).all()
    if len(rows) == 1 or (rows and rows[0].code == text):
        id, code, name, address, county = rows[0]
        return Where(id, code, name, address, county or None)
    if not rows:
        rows = (
            await db.execute(
                select(*columns)
                .where(Place.name.icontains(text, autoescape=True), Place.state != "removed")
                .order_by(Place.code)
                .limit(_SUGGESTED)
            )
        ).all()
    if not rows:
        raise BadCell(_("no place has that code or name: {value}", value=short(text)))
    names = "; ".join(f"{row.code} {row.name}" for row in rows)
    raise BadCell(_("Which one? Type its code: {names}", names=names))
