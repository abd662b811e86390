"""What can be booked, for whom, and what is asked of those who book."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, RowMapping, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Prepared
from bot.errors import Problem
from bot.i18n import Text, Voice, _
from bot.models import Offering as Row
from bot.models import Session
from bot.services.desk import Desk

CATEGORY_NAMES: dict[str, Text] = {
    "health": _("Health check"),
    "legal": _("Legal advice"),
    "training": _("Training"),
    "event": _("Event"),
    "volunteer": _("Volunteering"),
    "gift": _("Gift"),
    "venue": _("Venue"),
}
TOPIC_NAMES: dict[str, Text] = {
    "labour": _("Labour dispute"),
    "traffic": _("Traffic accident"),
    "injury": _("Work injury"),
    "wages": _("Unpaid wages"),
    "contract": _("Contract"),
    "other": _("Something else"),
}
WAY_NAMES: dict[str, Text] = {"phone": _("By phone"), "on_site": _("On the spot")}
YES_NO: dict[str, Text] = {"yes": _("Yes"), "no": _("No")}
STATES = ("published", "hidden")
# Questions that need no words of their own: everybody knows what they ask.
PLAIN_QUESTIONS: dict[str, Text] = {
    "name": _("What shall we call you? A surname is enough."),
    "phone": _("Which mobile number may we call about this?"),
    "note": _("Is there something that we should know beforehand? Leave out ID numbers and bank cards."),
    "topic": _("What is it about?"),
    "way": _("By phone or on the spot?"),
}
ASKED_KINDS = ("choice", "text", "number", "yesno")
PERSONAL = frozenset({"name", "phone", "note"})
LONGEST_NAME, LONGEST_TEXT, LONGEST_NOTE = 30, 200, 1000


class NoSuchOffering(Problem):
    text = _("That offer is not on the list any more.")


class BadPhone(Problem):
    text = _("That is not a mobile number. It has eleven digits and starts with 1.")


class BadAnswer(Problem):
    text = _("That is no answer to this question.")


@dataclass(frozen=True, slots=True)
class Intake:
    """One question that an offering asks of those who book; `labels` and `choices` are by locale."""

    key: str
    kind: str
    labels: Mapping[str, str]
    choices: tuple[Mapping[str, str], ...] = ()

    def label(self, locale: str) -> Text | str:
        """The question as it is asked."""
        return PLAIN_QUESTIONS.get(self.kind) or self.labels.get(locale) or self.labels["zh_CN"]

    def options(self, locale: str) -> dict[str, Text | str]:
        """What one can choose: value and label; empty where the answer is typed."""
        match self.kind:
            case "topic":
                return dict(TOPIC_NAMES)
            case "way":
                return dict(WAY_NAMES)
            case "yesno":
                return dict(YES_NO)
        return {choice["zh_CN"]: choice.get(locale) or choice["zh_CN"] for choice in self.choices}

    def read(self, text: str) -> str:
        """The answer, tidied; raises BadPhone or BadAnswer."""
        said = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        match self.kind:
            case "phone":
                return mobile(said)
            case "number":
                digits = unicodedata.normalize("NFKC", said)
                if not re.fullmatch("[0-9]{1,6}", digits):
                    raise BadAnswer(_("Please answer with a number."))
                return str(int(digits))
            case "choice" | "topic" | "way" | "yesno":
                if said not in self.options("zh_CN"):
                    raise BadAnswer
                return said
        limit = {"name": LONGEST_NAME, "note": LONGEST_NOTE}.get(self.kind, LONGEST_TEXT)
        if not said or len(said) > limit:
            raise BadAnswer(_("Please keep it between 1 and {limit} characters.", limit=limit))
        return said


@dataclass(frozen=True, slots=True)
class Offering:
    """An offering as it stands; its columns are those of the table."""

    id: int
    code: str
    category: str
    title: str
    title_zh_TW: str
    title_en: str
    description: str
    description_zh_TW: str
    description_en: str
    organiser: str
    contact: str
    bring: str
    bring_zh_TW: str
    bring_en: str
    vehicles: Collection[str]
    counties: Collection[str]
    limit_count: int
    limit_days: int
    cancel_before_min: int
    waitlist: bool
    approval: bool
    asked: tuple[Mapping[str, Any], ...]
    reminders: tuple[str, ...]
    state: str
    source: str
    demo: bool

    def called(self, locale: str) -> str:
        return self._in("title", locale)

    def titled(self, voice: Voice) -> str:
        """Its name for people; a sample says so, unless it is called so anyway."""
        called = self.called(voice.locale)
        is_marked = not self.demo or "示例" in called or "sample" in called.casefold()
        return called if is_marked else voice.word(_("[sample] {name}", name=called))

    def described(self, locale: str) -> str:
        return self._in("description", locale)

    def to_bring(self, locale: str) -> str:
        return self._in("bring", locale)

    @property
    def questions(self) -> tuple[Intake, ...]:
        return tuple(
            Intake(one["key"], one["kind"], one.get("label", {}), tuple(one.get("options", ()))) for one in self.asked
        )

    @property
    def asks_personal(self) -> bool:
        """Whether a name, a phone or a note is asked for, so that consent comes first."""
        return any(question["kind"] in PERSONAL for question in self.asked)

    def asks(self, kind: str) -> bool:
        return any(question["kind"] == kind for question in self.asked)

    def is_shown(self, desk: Desk) -> bool:
        """Whether riders see it."""
        return self.state == "published" and (desk.demo or not self.demo)

    def fits(self, vehicle: str, county: str) -> bool:
        """Whether somebody with this vehicle and county may book; what they never told is not held against them."""
        by_vehicle = not self.vehicles or vehicle in self.vehicles or vehicle == ""
        return by_vehicle and (not self.counties or county in self.counties or county == "")

    def _in(self, name: str, locale: str) -> str:
        words: str = getattr(self, f"{name}_{locale}", "") if locale != "zh_CN" else ""
        return words or getattr(self, name)


@dataclass(frozen=True, slots=True)
class Offered:
    """An offering with its next session and the seats left in those to come; `fits` is whether this rider may book."""

    offering: Offering
    next_at: datetime | None
    free: int
    fits: bool


COLUMNS = tuple(
    (Row.questions if field.name == "asked" else getattr(Row, field.name)).label(f"o_{field.name}")
    for field in fields(Offering)
)


def from_row(row: RowMapping) -> Offering:
    """The offering in a row selected with COLUMNS."""
    return from_values([row[f"o_{field.name}"] for field in fields(Offering)])


def from_values(values: Sequence[Any]) -> Offering:
    """The offering in the values of COLUMNS, in their order."""
    *others, asked, reminders, state, source, demo = values
    columns = [*others, tuple(asked), tuple(reminders), state, source, demo]
    return Offering(*columns)


def from_model(row: Row) -> Offering:
    """The offering that a row of the table is."""
    names = ("questions" if field.name == "asked" else field.name for field in fields(Offering))
    return from_values([getattr(row, name) for name in names])


async def published(
    db: AsyncSession, *, desk: Desk, now: datetime, vehicle: str = "", county: str = ""
) -> list[Offered]:
    """What has a session to come: those that fit first, then by the next session."""
    rows = await _PUBLISHED.all(db, demo=desk.demo, now=now)
    found = [
        Offered(offering := from_values(values), next_at, int(free), offering.fits(vehicle, county))
        for *values, next_at, free in rows
    ]
    return sorted(found, key=lambda one: (not one.fits, one.next_at, one.offering.code))


async def one(db: AsyncSession, *, desk: Desk, id: int = 0, code: str = "") -> Offering:
    """A published offering by its number or code; raises NoSuchOffering, for a hidden one too."""
    row = await (_BY_ID.first(db, demo=desk.demo, id=id) if id else _BY_CODE.first(db, demo=desk.demo, code=code))
    if row is None:
        raise NoSuchOffering
    return from_values(row)


def mobile(text: str) -> str:
    """A mainland mobile number without spaces, hyphens and country code; raises BadPhone."""
    digits = re.sub(r"[\s\-–—()（）]", "", unicodedata.normalize("NFKC", text))
    digits = re.sub(r"^(\+86|0086|86(?=1[0-9]{10}$))", "", digits)
    if not re.fullmatch(r"1[3-9][0-9]{9}", digits):
        raise BadPhone
    return digits


_SHOWN = (Row.state == "published", or_(Row.demo.is_(False), bindparam("demo", type_=Boolean)))
_PUBLISHED = Prepared(
    select(*COLUMNS, func.min(Session.starts_at), func.sum(Session.capacity - Session.taken))
    .join(Session, Session.offering_id == Row.id)
    .where(*_SHOWN, Session.starts_at > bindparam("now"), Session.state == "open")
    .group_by(Row.id)
)
_BY_ID = Prepared(select(*COLUMNS).where(*_SHOWN, Row.id == bindparam("id")))
_BY_CODE = Prepared(select(*COLUMNS).where(*_SHOWN, Row.code == bindparam("code")))
