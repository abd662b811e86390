"""Offerings as staff look after them: listed, made, edited cell by cell, shown to riders and hidden from them."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert
from bot.errors import Problem
from bot.i18n import LOCALES, Text, _
from bot.models import Offering as Row
from bot.models import Session as SessionRow
from bot.services import audit, authority
from bot.services.authority import Member
from bot.services.offering_files.cells import offering_columns, question
from bot.services.offerings import PLAIN_QUESTIONS, NoSuchOffering, Offering, from_model
from bot.services.place_desk import Misfilled
from bot.services.place_files.cells import BadCell, Column, code_cell, tidy
from bot.services.seating.session_rows import Session
from bot.services.sessions import roll

PAGE = 50
MOST_QUESTIONS = 6
LONGEST_LABEL, LONGEST_OPTIONS = 200, 500
# What the form holds in its order, by the names of the offerings file.
FIELDS = (
    *("category", "title", "title_zh_TW", "title_en", "description", "description_zh_TW", "description_en"),
    *("organiser", "contact", "bring", "bring_zh_TW", "bring_en", "vehicles", "counties", "limit", "limit_days"),
    *("cancel_before_min", "waitlist", "approval", "reminders", "source"),
)
_KEYS = "abcdefghij"
_BLANK: dict[str, Any] = {"state": "hidden", "demo": False}

Cells = dict[str, str]


class Overtaken(Problem):
    text = _("Somebody changed this offering meanwhile. Look at it once more.")


class CodeTaken(Problem):
    text = _("There is already an offering with that code.")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of an offering's own in its form: texts by locale, the choices with commas between them."""

    key: str = ""
    kind: str = ""
    labels: Mapping[str, str] | None = None
    options: Mapping[str, str] | None = None

    def label(self, locale: str) -> str:
        return (self.labels or {}).get(locale, "")

    def choices(self, locale: str) -> str:
        return (self.options or {}).get(locale, "")


@dataclass(frozen=True, slots=True)
class Form:
    """What somebody typed: `cells` by FIELDS, the plain questions that are ticked, and those of its own."""

    cells: Cells
    plain: tuple[str, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which offerings; empty means all. `text` is a part of the title or the code."""

    text: str = ""
    category: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """An offering with its sessions to come: how many, when the next one is, and how many seats are free."""

    offering: Offering
    sessions: int
    next_at: datetime | None
    free: int


async def listed(
    db: AsyncSession, member: Member, wanted: Wanted, *, now: datetime, start: int = 0, limit: int
) -> list[Listed]:
    """The offerings that are `wanted`, the next session first."""
    authority.require(member, "offering.read")
    coming = (
        select(
            SessionRow.offering_id,
            func.count().label("sessions"),
            func.min(SessionRow.starts_at).label("next_at"),
            func.sum(SessionRow.capacity - SessionRow.taken).label("free"),
        )
        .where(SessionRow.starts_at > now, SessionRow.state == "open")
        .group_by(SessionRow.offering_id)
        .subquery()
    )
    query = (
        select(Row, coming.c.sessions, coming.c.next_at, coming.c.free)
        .outerjoin(coming, coming.c.offering_id == Row.id)
        .where(*_conditions(wanted))
        .order_by(coming.c.next_at.is_(None), coming.c.next_at, Row.code)
        .offset(start)
        .limit(limit)
    )
    rows = await db.execute(query)
    return [Listed(from_model(row), sessions or 0, next_at, int(free or 0)) for row, sessions, next_at, free in rows]


async def found(db: AsyncSession, member: Member, offering_id: int) -> Row:
    """An offering; raises NoSuchOffering. Everybody on the staff may read what riders read."""
    authority.require(member, "offering.read")
    row = await db.scalar(select(Row).where(Row.id == offering_id))
    if row is None:
        raise NoSuchOffering
    return row


async def title(db: AsyncSession, offering_id: int, *, locale: str) -> str:
    """What an offering is called, for those who see figures; raises NoSuchOffering."""
    row = await db.scalar(select(Row).where(Row.id == offering_id))
    if row is None:
        raise NoSuchOffering
    return from_model(row).called(locale)


async def of_session(db: AsyncSession, member: Member, session: Session) -> Row:
    """The offering of a session that this member runs; a lawyer sees no others. Raises NotAllowed."""
    roll.require(member, "session.read", session)
    return (await db.scalars(select(Row).where(Row.id == session.offering_id))).one()


def may_write(member: Member, row: Row) -> bool:
    """Whether the offering is this member's to change: a county's staff those that are for its counties only."""
    return authority.may(member, "offering.write") and authority.is_within(member, row.counties)


def version(row: Row) -> str:
    """What a form carries to tell whether the offering changed since."""
    return row.updated_at.isoformat()


def form_of(row: Row) -> Form:
    """The offering as its form shows it."""
    cells = _texts(row)
    plain = tuple(one["kind"] for one in row.questions if one["kind"] in PLAIN_QUESTIONS)
    asked = tuple(
        Asked(
            one["key"],
            one["kind"],
            one.get("label", {}),
            {
                locale: ", ".join(choice.get(locale, "") for choice in one.get("options", ())).strip(", ")
                for locale in LOCALES
            },
        )
        for one in row.questions
        if one["kind"] not in PLAIN_QUESTIONS
    )
    return Form(cells, plain, asked)


def blank(counties: Collection[str] = ()) -> Form:
    """The form of a new offering; `counties` are those that its author is bound to."""
    cells = dict.fromkeys(FIELDS, "") | {"category": "health", "waitlist": "1", "reminders": "1d@19:00;2h"}
    return Form(cells | {"counties": ";".join(counties)}, (), ())


async def create(
    db: AsyncSession, member: Member, form: Form, *, code: str, counties: Collection[str], now: datetime
) -> int:
    """A new offering's number, hidden until somebody shows it; without a `code` it gets one.

    Raises Misfilled, CodeTaken, NotAllowed.
    """
    faults: dict[str, Text] = {}
    try:
        code = code_cell(tidy(code)) if code.strip() else f"o-{secrets.token_hex(4)}"
    except BadCell as bad:
        faults["code"] = bad.reason
    values = _read(form, counties, faults)
    authority.require(member, "offering.write", counties=values["counties"])
    row = insert(db, Row).values(code=code, updated_at=now, **(_BLANK | values))
    number: int | None = await db.scalar(row.on_conflict_do_nothing(index_elements=["code"]).returning(Row.id))
    if number is None:
        raise CodeTaken
    after = {"code": code, "title": values["title"]}
    await audit.record(db, member, "offering.write", _subject(number), now=now, after=after)
    return number


async def save(
    db: AsyncSession,
    member: Member,
    offering_id: int,
    form: Form,
    *,
    seen: str,
    counties: Collection[str],
    now: datetime,
) -> None:
    """Take the form into the offering; raises Misfilled, Overtaken, NoSuchOffering, NotAllowed."""
    row = await _own(db, member, offering_id)
    values = _read(form, counties, {})
    authority.require(member, "offering.write", counties=values["counties"])
    if seen != version(row):
        raise Overtaken
    before = {name: getattr(row, name) for name in values}
    changed = [name for name in values if before[name] != values[name]]
    if not changed:
        return
    for name in changed:
        setattr(row, name, values[name])
    row.updated_at = now
    await db.flush()
    old, new = ({name: kept[name] for name in changed} for kept in (before, values))
    await audit.record(db, member, "offering.write", _subject(offering_id), now=now, before=old, after=new)


async def turn(db: AsyncSession, member: Member, offering_id: int, *, state: str, now: datetime) -> None:
    """Show the offering to riders (`published`) or hide it (`hidden`); bookings stay.

    Raises NoSuchOffering, NotAllowed.
    """
    row = await _own(db, member, offering_id)
    if row.state == state:
        return
    before, row.state, row.updated_at = row.state, state, now
    await db.flush()
    old, new = {"state": before}, {"state": state}
    await audit.record(db, member, "offering.turn", _subject(offering_id), now=now, before=old, after=new)


async def _own(db: AsyncSession, member: Member, offering_id: int) -> Row:
    row = await db.scalar(select(Row).where(Row.id == offering_id).with_for_update())
    if row is None:
        raise NoSuchOffering
    authority.require(member, "offering.write", counties=row.counties)
    return row


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.text:
        parts = (column.icontains(wanted.text, autoescape=True) for column in (Row.title, Row.code))
        conditions.append(or_(*parts))
    if wanted.category:
        conditions.append(Row.category == wanted.category)
    if wanted.state:
        conditions.append(Row.state == wanted.state)
    return conditions


def _columns(counties: Collection[str]) -> dict[str, tuple[str, Column]]:
    """By the name of a field: the column of our table, and how its cell is read and shown."""
    known = offering_columns(counties)
    return {name: known[name.lower()] for name in FIELDS}


def _texts(row: Row) -> Cells:
    return {name: column.text(getattr(row, kept_as)) for name, (kept_as, column) in _columns(()).items()}


def _read(form: Form, counties: Collection[str], faults: dict[str, Text]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, (kept_as, column) in _columns(counties).items():
        try:
            values[kept_as] = column.value(tidy(form.cells.get(name, "")))
        except BadCell as bad:
            faults[name] = bad.reason
    values["questions"] = _questions(form, faults)
    if faults:
        raise Misfilled(faults)
    return values


def _questions(form: Form, faults: dict[str, Text]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = [{"key": kind, "kind": kind} for kind in PLAIN_QUESTIONS if kind in form.plain]
    used = {asked.key for asked in form.asked}
    free = (f"own_{letter}" for letter in _KEYS if f"own_{letter}" not in used)
    for n, asked in enumerate(form.asked[:MOST_QUESTIONS]):
        if not asked.kind and not any((asked.labels or {}).values()):
            continue
        try:
            one = question(asked.key or next(free), asked.kind, _labels(asked), _choices(asked))
        except BadCell as bad:
            faults[f"question_{n}"] = bad.reason
            continue
        if one is None:
            faults[f"question_{n}"] = _("A question needs its kind and its words in Chinese, a choice its choices.")
        else:
            kept.append(one)
    return kept


def _labels(asked: Asked) -> dict[str, str]:
    return {locale: words for locale in LOCALES if (words := _limited(asked.label(locale), LONGEST_LABEL))}


def _choices(asked: Asked) -> Sequence[Mapping[str, str]]:
    """The choices as they are kept: those of other languages stand beside the Chinese ones in the same order."""
    if asked.kind != "choice":
        return ()
    lists = {}
    for locale in LOCALES:
        words = _limited(asked.choices(locale), LONGEST_OPTIONS).replace("，", ",").replace("、", ",")
        lists[locale] = [word for part in words.split(",") if (word := part.strip())]
    first = lists["zh_CN"]
    if any(there and len(there) != len(first) for there in lists.values()) or len(set(first)) != len(first):
        raise BadCell(_("Name the same choices in each language, none of them twice."))
    return [{locale: there[n] for locale, there in lists.items() if there} for n in range(len(first))]


def _limited(text: str, limit: int) -> str:
    if len(text) > limit:
        raise BadCell(_("longer than {limit} characters", limit=limit))
    return tidy(text)


def _subject(offering_id: int) -> str:
    return f"offering:{offering_id}"
