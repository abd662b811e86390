"""People: what they told us of themselves, changed, shown and erased when they ask."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.i18n import LOCALES, Text, _
from bot.messages import Address
from bot.models import Contact, Exchange, Outbound, Place, PlaceReport, Rider, Talk
from bot.services import places

VEHICLE_NAMES: dict[str, Text] = {
    "courier": _("🛵 Food or parcel e-bike"),
    "parcel": _("📦 Parcel tricycle"),
    "ridehail": _("🚗 Ride-hail or taxi"),
    "truck": _("🚚 Truck"),
}
SKIPPED = "none"


@dataclass(frozen=True, slots=True)
class Reported:
    """One report that somebody made of a place."""

    place: str
    what: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything that is kept of one person. `chats` is the number of addresses at which they talk to us."""

    since: datetime
    vehicle: str
    county: str
    locale: str
    chats: int
    question: bool
    waiting: int
    sent: int
    reports: tuple[Reported, ...]


async def choose_vehicle(db: AsyncSession, rider_id: int, vehicle: str) -> None:
    """Remember what this person drives: a key of VEHICLE_NAMES, or SKIPPED."""
    if vehicle not in VEHICLE_NAMES and vehicle != SKIPPED:
        raise ValueError(f"no vehicle {vehicle!r}")
    await db.execute(update(Rider).where(Rider.id == rider_id).values(vehicle=vehicle))


async def choose_county(db: AsyncSession, rider_id: int, county: str) -> None:
    """Remember this person's county by its code; empty forgets it."""
    await db.execute(update(Rider).where(Rider.id == rider_id).values(county=county))


async def choose_language(db: AsyncSession, contact_id: int, locale: str) -> None:
    """Speak `locale`, one of LOCALES, at this address from now on."""
    if locale not in LOCALES:
        raise ValueError(f"no language {locale!r}")
    await db.execute(update(Contact).where(Contact.id == contact_id).values(locale=locale))


async def shown(db: AsyncSession, rider_id: int) -> Kept | None:
    """What is kept of this person, or None if nothing is."""
    rider = (await db.execute(select(Rider).where(Rider.id == rider_id))).scalar_one_or_none()
    if rider is None:
        return None
    contacts = (
        await db.execute(select(Contact.id, Contact.locale).where(Contact.rider_id == rider_id).order_by(Contact.id))
    ).all()
    ids = [contact.id for contact in contacts]
    question = await db.scalar(select(func.count()).where(Talk.contact_id.in_(ids), Talk.dialog != ""))
    messages = select(func.count()).where(Outbound.contact_id.in_(ids))
    waiting = await db.scalar(messages.where(Outbound.state == "queued"))
    sent = await db.scalar(messages.where(Outbound.state == "sent"))
    reports = await db.execute(
        select(Place.name, PlaceReport.what, PlaceReport.at)
        .join(Place, Place.id == PlaceReport.place_id)
        .where(PlaceReport.rider_id == rider_id)
        .order_by(PlaceReport.at.desc())
    )
    return Kept(
        since=rider.created_at,
        vehicle=rider.vehicle,
        county=rider.county,
        locale=contacts[0].locale if contacts else "",
        chats=len(contacts),
        question=bool(question),
        waiting=waiting or 0,
        sent=sent or 0,
        reports=tuple(Reported(name, what, at) for name, what, at in reports),
    )


async def is_known(db: AsyncSession, channel: str, user: str) -> bool:
    """Whether anything is kept of whoever has this address."""
    return bool(await db.scalar(select(exists().where(Contact.channel == channel, Contact.user == user))))


async def erase(db: AsyncSession, rider_id: int) -> list[Address]:
    """Forget this person at every address of theirs, which it returns; what they reported of places stays, nobody's.

    Their addresses, open questions, shown lists and messages, sent or waiting, go with the row of the person
    by the database's own cascade.
    """
    await places.erase_reports(db, rider_id)
    found = await db.execute(select(Contact.channel, Contact.user).where(Contact.rider_id == rider_id))
    addresses = [Address(channel, user) for channel, user in found]
    at = (Contact.channel == Exchange.channel, Contact.user == Exchange.user, Contact.rider_id == rider_id)
    await db.execute(delete(Exchange).where(exists().where(*at)).execution_options(synchronize_session=False))
    await db.execute(delete(Rider).where(Rider.id == rider_id))
    return addresses
