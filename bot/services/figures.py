"""What staff see in numbers: what needs a person now, and how riders use what there is. Nobody is named."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import reduce
from operator import or_ as or_bits
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from bot.models import (
    Booking,
    Broadcast,
    HelpCall,
    Notice,
    NoticeResponse,
    NoticeWish,
    Offering,
    Outbound,
    Place,
    Rider,
    SearchCount,
    Session,
)
from bot.services.broadcasts import report

UNVERIFIED_AFTER = timedelta(days=90)
LATELY = timedelta(days=30)
# A square in which fewer people looked could point at somebody.
LEAST_PEOPLE = 5
MOST_SQUARES = 500


@dataclass(frozen=True, slots=True)
class Needs:
    """How many of each kind wait for a person."""

    to_approve: int
    failing: int
    help_calls: int
    doubtful_places: int
    unverified_places: int
    homeless_sessions: int
    pending_bookings: int


@dataclass(frozen=True, slots=True)
class Today:
    """What happened since local midnight."""

    riders: int
    new_riders: int
    searches: int
    unmet: int
    booked: int
    sent: int


@dataclass(frozen=True, slots=True)
class Square:
    """About a square kilometre (WGS-84, its middle) where searches found nothing suitable.

    `count` is how many searches, `people` how many people there were at least.
    """

    lat: float
    lng: float
    wanted: str
    count: int
    people: int


@dataclass(frozen=True, slots=True)
class Reached:
    """What became of one broadcast."""

    id: int
    title: str
    recipients: int
    sent: int
    failed: int
    waiting: int
    read: int
    received: int


async def needs(db: AsyncSession, *, now: datetime, zone: ZoneInfo, counties: Collection[str] = ()) -> Needs:
    """What needs a person; with `counties` only at the places of those, and no session that has no place."""
    midnight = _midnight(now, zone)
    old = (now - UNVERIFIED_AFTER).astimezone(zone).date()
    here = [Place.county.in_(counties)] if counties else []
    live = and_(Place.state == "published", *here)
    tomorrow = and_(Session.starts_at >= midnight + timedelta(days=1), Session.starts_at < midnight + timedelta(days=2))
    homeless = and_(literal(not counties), Session.state == "open", Session.place_id.is_(None), Session.address == "")
    unfinished = select(Session.id).where(Session.closed_out_at.is_(None))
    if counties:
        unfinished = unfinished.join(Place, Place.id == Session.place_id).where(*here)
    counts = (
        _count(Broadcast.id, Broadcast.state == "in_review"),
        _count(Outbound.id, Outbound.state == "failed", Outbound.tried_at > now - timedelta(days=1)),
        _count(HelpCall.id, HelpCall.handled_at.is_(None)),
        _count(Place.id, live, Place.doubtful_since.is_not(None)),
        _count(Place.id, live, or_(Place.verified_at.is_(None), Place.verified_at < old)),
        _count(Session.id, tomorrow, homeless),
        _count(Booking.id, Booking.state == "pending", Booking.session_id.in_(unfinished)),
    )
    row = (await db.execute(select(*(count.scalar_subquery() for count in counts)))).one()
    return Needs(*row)


async def today(db: AsyncSession, *, now: datetime, zone: ZoneInfo) -> Today:
    """The figures of the day so far."""
    since = _midnight(now, zone)
    found = func.coalesce(func.sum(SearchCount.count), 0)
    counts = (
        select(func.count(Rider.id)),
        _count(Rider.id, Rider.created_at >= since),
        select(found).where(SearchCount.hour >= since),
        select(found).where(SearchCount.hour >= since, SearchCount.found.is_(False)),
        _count(Booking.id, Booking.created_at >= since, Booking.state.not_in(("held", "cancelled"))),
        _count(Outbound.id, Outbound.sent_at >= since),
    )
    row = (await db.execute(select(*(count.scalar_subquery() for count in counts)))).one()
    return Today(*row)


async def riders_by(db: AsyncSession, column: str) -> list[tuple[str, int, int]]:
    """Riders by `vehicle` or `county`: its key, how many, and how many of them agreed to notices."""
    key = {"vehicle": Rider.vehicle, "county": Rider.county}[column]
    agreed = func.count(case((NoticeWish.off_at.is_(None), NoticeWish.rider_id)))
    query = select(key, func.count(Rider.id), agreed).outerjoin(NoticeWish, NoticeWish.rider_id == Rider.id)
    rows = await db.execute(query.group_by(key).order_by(func.count(Rider.id).desc()))
    return [(name, count, willing) for name, count, willing in rows]


async def searches_by_hour(db: AsyncSession, *, now: datetime, zone: ZoneInfo) -> list[tuple[int, int, int]]:
    """For each local hour of the day: how many searches of the last thirty days, and how many found nothing."""
    hours = [[0, 0] for _hour in range(24)]
    query = select(SearchCount.hour, SearchCount.found, func.sum(SearchCount.count))
    query = query.where(SearchCount.hour > now - LATELY).group_by(SearchCount.hour, SearchCount.found)
    for hour, found, count in await db.execute(query):
        local = hour.astimezone(zone).hour
        hours[local][0] += count
        hours[local][1] += 0 if found else count
    return [(hour, all_of, unmet) for hour, (all_of, unmet) in enumerate(hours)]


async def searches_by_kind(db: AsyncSession, *, now: datetime) -> list[tuple[str, int, int]]:
    """What was looked for in the last thirty days: how often, and how often in vain."""
    unmet = func.sum(case((SearchCount.found.is_(False), SearchCount.count), else_=0))
    query = select(SearchCount.wanted, func.sum(SearchCount.count), unmet).where(SearchCount.hour > now - LATELY)
    rows = await db.execute(query.group_by(SearchCount.wanted).order_by(func.sum(SearchCount.count).desc()).limit(50))
    return [(wanted, count, vain) for wanted, count, vain in rows]


async def unmet_squares(db: AsyncSession, *, now: datetime) -> list[Square]:
    """Where searches of the last thirty days found nothing suitable, the most first; none with fewer than five people.

    People are counted by the bits that they set: two may share one, so that there are never fewer than counted.
    """
    total = func.sum(SearchCount.count)
    # Both databases can put texts together; only one of them knows `bit_or`.
    bits = func.aggregate_strings(cast(SearchCount.people, String), ",")
    query = (
        select(SearchCount.square, SearchCount.wanted, total, bits)
        .where(SearchCount.hour > now - LATELY, SearchCount.found.is_(False), SearchCount.square != "")
        .group_by(SearchCount.square, SearchCount.wanted)
        .having(total >= LEAST_PEOPLE)
        .order_by(total.desc(), SearchCount.square, SearchCount.wanted)
    )
    squares: list[Square] = []
    for square, wanted, count, told in await db.execute(query):
        people = reduce(or_bits, map(int, set(told.split(",")))).bit_count()
        if people >= LEAST_PEOPLE:
            lat, lng = map(float, square.split(","))
            squares.append(Square(lat, lng, wanted, count, people))
    return squares[:MOST_SQUARES]


async def forget_people(db: AsyncSession, *, now: datetime) -> None:
    """Drop even the bits of those who looked in vain longer ago than anything is drawn from them."""
    old = update(SearchCount).where(SearchCount.hour <= now - LATELY, SearchCount.people != 0)
    await db.execute(old.values(people=0))


async def bookings_by_offering(db: AsyncSession, *, now: datetime) -> list[tuple[str, Mapping[str, int]]]:
    """For each offering: its bookings of the last thirty days by state."""
    query = (
        select(Offering.title, Booking.state, func.count())
        .join(Offering, Offering.id == Booking.offering_id)
        .where(Booking.created_at > now - LATELY, Booking.state != "held")
        .group_by(Offering.title, Booking.state)
        .order_by(Offering.title)
    )
    found: dict[str, dict[str, int]] = {}
    for title, state, count in await db.execute(query):
        found.setdefault(title, {})[state] = count
    return list(found.items())


async def reach_of_notices(db: AsyncSession, *, limit: int = 20) -> list[Reached]:
    """The last broadcasts with their recipients by what became of them, and what came back."""
    newest = select(Broadcast.id).where(Broadcast.began_at.is_not(None)).order_by(Broadcast.id.desc()).limit(limit)
    ids = list(await db.scalars(newest))
    titles = select(Broadcast.id, Notice.texts).join(Notice, Notice.id == Broadcast.notice_id)
    named = {id: texts["zh_CN"]["title"] for id, texts in await db.execute(titles.where(Broadcast.id.in_(ids)))}
    recipients = await report.counted(db, ids) | await report.kept(db, ids)
    states = {id: recipients[id].states for id in ids}
    replies = (
        select(
            NoticeResponse.broadcast_id,
            func.count(NoticeResponse.read_at),
            func.count(case((NoticeResponse.reply == "received", 1))),
        )
        .where(NoticeResponse.broadcast_id.in_(ids))
        .group_by(NoticeResponse.broadcast_id)
    )
    came = {id: (read, received) for id, read, received in await db.execute(replies)}
    return [
        Reached(
            id,
            named[id],
            recipients=sum(states[id].values()),
            sent=states[id].get("sent", 0),
            failed=states[id].get("failed", 0),
            waiting=states[id].get("waiting", 0),
            read=came.get(id, (0, 0))[0],
            received=came.get(id, (0, 0))[1],
        )
        for id in ids
    ]


def _count(column: InstrumentedAttribute[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(func.count(column)).where(*conditions)


def _midnight(now: datetime, zone: ZoneInfo) -> datetime:
    return datetime.combine(now.astimezone(zone).date(), time(), zone)
