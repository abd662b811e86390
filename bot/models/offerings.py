"""What can be booked: offerings, the sessions at which they take place, and the patterns that make sessions."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, BigId
from bot.models.places import Place
from bot.models.staff import StaffMember


class Offering(Base):
    """Something that people sign up for; the columns are those of the offerings file.

    `category` is `health`, `legal`, `training`, `event`, `volunteer`, `gift` or `venue`; `state` is `published` or
    `hidden`. Empty `vehicles` or `counties` mean everybody. `limit_count` bookings in `limit_days` days are
    allowed to one person (0 means any number; 0 days means ever). `questions` is a list of {key, kind, label, …},
    `reminders` a list such as `1d@19:00` and `2h`.
    """

    __tablename__ = "offerings"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    code: Mapped[str] = mapped_column(unique=True)
    category: Mapped[str]
    title: Mapped[str]
    updated_at: Mapped[datetime]
    title_zh_TW: Mapped[str] = mapped_column(default="")
    title_en: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(default="")
    description_zh_TW: Mapped[str] = mapped_column(default="")
    description_en: Mapped[str] = mapped_column(default="")
    organiser: Mapped[str] = mapped_column(default="")
    contact: Mapped[str] = mapped_column(default="")
    bring: Mapped[str] = mapped_column(default="")
    bring_zh_TW: Mapped[str] = mapped_column(default="")
    bring_en: Mapped[str] = mapped_column(default="")
    vehicles: Mapped[list[str]] = mapped_column(default_factory=list)
    counties: Mapped[list[str]] = mapped_column(default_factory=list)
    limit_count: Mapped[int] = mapped_column(default=0)
    limit_days: Mapped[int] = mapped_column(default=0)
    cancel_before_min: Mapped[int] = mapped_column(default=0)
    waitlist: Mapped[bool] = mapped_column(default=True)
    approval: Mapped[bool] = mapped_column(default=False)
    questions: Mapped[list[Any]] = mapped_column(default_factory=list)
    reminders: Mapped[list[str]] = mapped_column(default_factory=list)
    state: Mapped[str] = mapped_column(default="published")
    source: Mapped[str] = mapped_column(default="")
    demo: Mapped[bool] = mapped_column(default=False)


class SessionPattern(Base):
    """A weekly rhythm that makes sessions, in the city's local time.

    `weekdays` are 0 (Monday) to 6; `breaks` are pairs of `HH:MM`; slots of `slot_min` minutes run from `opens` to
    `closes`. `off_days` and `extra_days` are ISO dates. With `skips_holidays`, public holidays are left out
    and weekend days that are worked in exchange are on if any working day is.
    """

    __tablename__ = "session_patterns"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    code: Mapped[str] = mapped_column(unique=True)
    offering_id: Mapped[int] = mapped_column(ForeignKey(Offering.id, ondelete="CASCADE"), index=True)
    weekdays: Mapped[list[Any]]
    opens: Mapped[str]
    closes: Mapped[str]
    slot_min: Mapped[int]
    capacity: Mapped[int]
    first_day: Mapped[date]
    last_day: Mapped[date | None] = mapped_column(default=None)
    breaks: Mapped[list[Any]] = mapped_column(default_factory=list)
    off_days: Mapped[list[str]] = mapped_column(default_factory=list)
    extra_days: Mapped[list[str]] = mapped_column(default_factory=list)
    skips_holidays: Mapped[bool] = mapped_column(default=True)
    place_id: Mapped[int | None] = mapped_column(ForeignKey(Place.id, ondelete="SET NULL"), default=None)
    address: Mapped[str] = mapped_column(default="")
    lawyer_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)


class Session(Base):
    """One occasion of an offering. `state` is `open`, `closed` (takes no more) or `cancelled`.

    It takes place at a place of the directory or, for a stop of a mobile one, at `address`. `taken` counts the
    seats of bookings that are held, booked, pending, offered, attended or no-show, and is only ever changed
    together with one of them. Until `kept_until` free seats are kept for those who wait; `unoffered` is
    why nobody could be offered the last freed seat. `sequence` counts changes of time or place.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("taken >= 0 AND taken <= capacity", name="seats"),
        CheckConstraint("starts_at < ends_at", name="times"),
        Index(None, "offering_id", "starts_at"),
        Index(
            "ix_sessions_unfinished",
            "ends_at",
            sqlite_where=text("closed_out_at IS NULL"),
            postgresql_where=text("closed_out_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    code: Mapped[str] = mapped_column(unique=True)
    offering_id: Mapped[int] = mapped_column(ForeignKey(Offering.id, ondelete="CASCADE"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    capacity: Mapped[int]
    place_id: Mapped[int | None] = mapped_column(ForeignKey(Place.id, ondelete="SET NULL"), default=None)
    address: Mapped[str] = mapped_column(default="")
    taken: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(default="open")
    lawyer_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)
    pattern_id: Mapped[int | None] = mapped_column(
        ForeignKey(SessionPattern.id, ondelete="SET NULL"), default=None, index=True
    )
    sequence: Mapped[int] = mapped_column(default=0)
    kept_until: Mapped[datetime | None] = mapped_column(default=None)
    unoffered: Mapped[str] = mapped_column(default="")
    closed_out_at: Mapped[datetime | None] = mapped_column(default=None)


class WeatherAlert(Base):
    """A day (local) with an official weather alert; `level` is `blue`, `yellow`, `orange` or `red`."""

    __tablename__ = "weather_alerts"

    day: Mapped[date] = mapped_column(primary_key=True)
    level: Mapped[str]
