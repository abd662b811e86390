"""Whom a broadcast concerns, and how they can be reached: conditions, worked out by the database when it is sent."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.messages import MassQuota
from bot.models import (
    Booking,
    Contact,
    MutedTopic,
    NoticeResponse,
    NoticeWish,
    Offering,
    Outbound,
    ReplyWindow,
    Rider,
)
from bot.services.broadcasts import mass
from bot.services.broadcasts.mass import Prospect

# Who has booked: whoever has or had a seat.
_BOOKED = ("booked", "pending", "offered", "attended", "no_show")


@dataclass(frozen=True, slots=True)
class Reach:
    """The channels by what they can do: `pushing` always, `windowed` while the person's window is open, `present`
    only while the person is there. `editing` can change what was said; `limits` are the lengths of a text,
    `masses` how often many can be written to at once."""

    pushing: frozenset[str] = frozenset()
    windowed: frozenset[str] = frozenset()
    present: frozenset[str] = frozenset()
    editing: frozenset[str] = frozenset()
    limits: Mapping[str, int] = field(default_factory=dict)
    masses: Mapping[str, MassQuota] = field(default_factory=dict)

    @property
    def channels(self) -> frozenset[str]:
        """Every channel that is in use."""
        return self.pushing | self.windowed | self.present


@dataclass(frozen=True, slots=True)
class Audience:
    """Conditions that all hold for a person; without any it is everybody.

    `topic`: has not muted that category. `booked`: has booked the offering of that code. `unanswered`: got that
    broadcast and gave no answer to it. `got`: got that broadcast.
    """

    vehicles: tuple[str, ...] = ()
    counties: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()
    topic: str = ""
    booked: str = ""
    unanswered: int = 0
    got: int = 0

    @property
    def everyone(self) -> bool:
        """Whether nothing narrows it."""
        return self == Audience()

    def to_json(self) -> dict[str, Any]:
        """Only the conditions that are set."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if value
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Audience":
        """Raises TypeError for a condition that there is not."""
        conditions: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()
        }
        return cls(**conditions)


@dataclass(frozen=True, slots=True)
class Forecast:
    """How many would get it now by push and how many at their next contact, by channel; who muted, who is gone.

    `masses` is what messages to many at once would do for those at their next contact.
    """

    pushable: Mapping[str, int]
    at_next_contact: Mapping[str, int]
    muted: int
    unreachable: int
    masses: tuple[Prospect, ...] = ()

    @property
    def concerned(self) -> int:
        """All whom it concerns and who did not mute it."""
        return sum(self.pushable.values()) + sum(self.at_next_contact.values()) + self.unreachable


def concerned(audience: Audience, *, category: str, urgency: str) -> Select[int]:
    """The ids of riders who agreed to notices, did not stop or mute this kind, and meet the conditions.

    A red notice passes muting, not stopping.
    """
    query = select(Rider.id).where(_agreed(), *_meets(audience))
    return query if urgency == "red" else query.where(~_muted(category))


def can_push(reach: Reach, now: datetime) -> ColumnElement[bool]:
    """Whether a contact can be written to now without being there."""
    is_open = exists().where(ReplyWindow.contact_id == Contact.id, ReplyWindow.until > now, ReplyWindow.remaining > 0)
    return or_(Contact.channel.in_(reach.pushing), and_(Contact.channel.in_(reach.windowed), is_open))


def reached_now(riders: Select[int], reach: Reach, now: datetime) -> Select[int]:
    """Those of `riders` who can be written to at this moment, some of them more than once."""
    theirs = (Contact.stopped_at.is_(None), can_push(reach, now), Contact.rider_id.in_(riders))
    return select(Contact.rider_id).where(*theirs)


def best_contacts(riders: Select[int], reach: Reach, now: datetime) -> Select[int, int, str, int]:
    """One contact for each of `riders` who has any that did not stop: one that can be pushed first, then the newest.

    Columns are `rider_id`, `contact_id`, `channel` and `pushes` (1 or 0).
    """
    pushes = case((can_push(reach, now), 1), else_=0)
    place = func.row_number().over(partition_by=Contact.rider_id, order_by=(pushes.desc(), Contact.id.desc()))
    ranked = (
        select(
            Contact.rider_id.label("rider_id"),
            Contact.id.label("contact_id"),
            Contact.channel.label("channel"),
            pushes.label("pushes"),
            place.label("place"),
        )
        .where(Contact.stopped_at.is_(None), Contact.channel.in_(reach.channels), Contact.rider_id.in_(riders))
        .subquery()
    )
    columns = ranked.c
    return select(columns.rider_id, columns.contact_id, columns.channel, columns.pushes).where(columns.place == 1)


async def forecast(
    db: AsyncSession, audience: Audience, *, category: str, urgency: str, reach: Reach, now: datetime
) -> Forecast:
    """What sending would come to at this moment; it counts in the database."""
    riders = concerned(audience, category=category, urgency=urgency)
    best = best_contacts(riders, reach, now).subquery()
    by_channel = select(best.c.channel, best.c.pushes, func.count()).group_by(best.c.channel, best.c.pushes)
    pushable: dict[str, int] = {}
    at_next_contact: dict[str, int] = {}
    for channel, pushes, count in await db.execute(by_channel):
        (pushable if pushes else at_next_contact)[channel] = count
    reached = sum(pushable.values()) + sum(at_next_contact.values())
    everybody = await db.scalar(select(func.count()).select_from(riders.subquery())) or 0
    is_muted = false() if urgency == "red" else _muted(category)
    muted = select(func.count()).select_from(Rider).where(_agreed(), *_meets(audience), is_muted)
    masses = await mass.prospects(db, at_next_contact, reach.masses, urgency=urgency, now=now)
    return Forecast(pushable, at_next_contact, await db.scalar(muted) or 0, everybody - reached, masses)


def _agreed() -> ColumnElement[bool]:
    return exists().where(NoticeWish.rider_id == Rider.id, NoticeWish.off_at.is_(None))


def _muted(topic: str) -> ColumnElement[bool]:
    return exists().where(MutedTopic.rider_id == Rider.id, MutedTopic.topic == topic)


def _meets(audience: Audience) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if audience.vehicles:
        conditions.append(Rider.vehicle.in_(audience.vehicles))
    if audience.counties:
        conditions.append(Rider.county.in_(audience.counties))
    if audience.locales:
        theirs = aliased(Contact)  # whoever asks may have its own contacts in the query
        speaks = (theirs.rider_id == Rider.id, theirs.stopped_at.is_(None), theirs.locale.in_(audience.locales))
        conditions.append(exists().where(*speaks))
    if audience.topic:
        conditions.append(~_muted(audience.topic))
    if audience.booked:
        seats = (Booking.rider_id == Rider.id, Booking.state.in_(_BOOKED), Booking.offering_id == Offering.id)
        conditions.append(exists(literal(1)).where(*seats, Offering.code == audience.booked))
    if audience.unanswered:
        answered = exists().where(
            NoticeResponse.broadcast_id == audience.unanswered,
            NoticeResponse.rider_id == Rider.id,
            NoticeResponse.reply != "",
        )
        conditions += [_got(audience.unanswered), ~answered]
    if audience.got:
        conditions.append(_got(audience.got))
    return conditions


def _got(broadcast_id: int) -> ColumnElement[bool]:
    """By the person's contacts, not by the row's key: people who were linked since are one person now.

    Whom a mass message may have missed waits, and may have got it all the same.
    """
    theirs = aliased(Contact)
    return exists(literal(1)).where(
        theirs.rider_id == Rider.id,
        Outbound.contact_id == theirs.id,
        Outbound.broadcast_id == broadcast_id,
        or_(Outbound.state == "sent", Outbound.provider_id != ""),
    )
