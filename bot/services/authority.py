"""Who of the staff may do what: one table of roles, and the counties that some are bound to."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import Problem
from bot.i18n import _
from bot.models import StaffMember


class NotAllowed(Problem):
    text = _("That is not among what you look after.")


class NoSuchMember(Problem):
    text = _("There is no account with that login.")


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody on the staff; `counties` (GB/T 2260 codes) bind only the role `county`."""

    id: int
    login: str
    role: str
    counties: tuple[str, ...]


_CONTENT = frozenset({"admin", "editor", "county"})
_SERVICE = frozenset({"admin", "operator", "county"})
_STEERING = frozenset({"admin", "editor", "approver", "county"})
_EVERY_DAY = frozenset({"admin", "editor", "approver", "operator", "county"})
_FIGURES = _EVERY_DAY | {"viewer"}
_APPROVING = frozenset({"admin", "approver"})
_EVERYBODY = _FIGURES | {"lawyer"}
_ADMIN = frozenset({"admin"})

# What can be done → who does it. Those of a county do it within their counties, lawyers with their own sessions.
TABLE: dict[str, frozenset[str]] = {
    "notice.read": _EVERY_DAY,
    "notice.write": _CONTENT,
    "notice.approve": _APPROVING,
    "notice.steer": _STEERING,
    "schedule.write": _CONTENT,
    "schedule.switch": _STEERING,
    "season.switch": _APPROVING,
    "policy.write": frozenset({"admin", "editor"}),
    "weather.propose": _EVERY_DAY,
    "weather.approve": _APPROVING,
    "help.answer": _EVERY_DAY,
    "place.read": _EVERY_DAY,
    "place.write": _CONTENT,
    "place.import": _CONTENT,
    "place.close": _CONTENT | {"operator"},
    "place.verify": _CONTENT | {"operator"},
    "place.export": _EVERY_DAY,
    "offering.read": _EVERY_DAY,
    "offering.write": _SERVICE,
    "offering.import": frozenset({"admin", "operator"}),
    "session.read": _EVERY_DAY | {"lawyer"},
    "session.write": _SERVICE,
    "booking.read": _SERVICE | {"lawyer"},
    "booking.write": _SERVICE,
    "booking.check_in": _SERVICE | {"lawyer"},
    "person.look_up": _SERVICE,
    "person.phone": _SERVICE | {"lawyer"},
    "person.export": _ADMIN,
    "person.erase": _ADMIN,
    "figures.read": _FIGURES,
    "figures.export": _FIGURES,
    "health.read": _EVERY_DAY,
    "settings.write": _ADMIN,
    "staff.read": _ADMIN,
    "staff.write": _ADMIN,
    "audit.read": _ADMIN,
    "own.account": _EVERYBODY,
}


def may(member: Member, action: str) -> bool:
    """Whether this role does such things at all; raises KeyError for an action that the table does not know."""
    return member.role in TABLE[action]


def require(member: Member, action: str, *, counties: Collection[str] | None = None) -> None:
    """Raise NotAllowed unless `member` may do `action`.

    `counties` are those that it concerns; empty means the whole city, which nobody of a county may touch. None is
    for what belongs to no county.
    """
    if not may(member, action) or not (counties is None or is_within(member, counties)):
        raise NotAllowed


def is_within(member: Member, counties: Collection[str]) -> bool:
    """Whether `counties` (empty: the whole city) are this member's to look after."""
    return member.role != "county" or (bool(counties) and set(counties) <= set(member.counties))


async def member(db: AsyncSession, staff_id: int) -> Member:
    """The member of that number; raises NoSuchMember, also for an account that is disabled."""
    return await _found(db, StaffMember.id == staff_id)


async def member_called(db: AsyncSession, login: str) -> Member:
    """The member with that login; raises NoSuchMember, also for an account that is disabled."""
    return await _found(db, StaffMember.login == login.strip().casefold())


async def _found(db: AsyncSession, condition: ColumnElement[bool]) -> Member:
    columns = (StaffMember.id, StaffMember.login, StaffMember.role, StaffMember.counties)
    row = (await db.execute(select(*columns).where(condition, StaffMember.disabled_at.is_(None)))).one_or_none()
    if row is None:
        raise NoSuchMember
    return Member(row.id, row.login, row.role, tuple(row.counties))
