"""What the city tells its riders: notices, their broadcasts and schedules, who wants them and what came back."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, BigId
from bot.models.riders import Rider
from bot.models.staff import StaffMember


class Notice(Base):
    """Words to tell, once for all who get them.

    `category` is `winter_safety`, `weather`, `policy`, `traffic`, `health`, `event`, `benefit` or `organisation`;
    `urgency` is `normal`, `important` or `red`. `texts` holds {title, body} per locale, Chinese always.
    `buttons` is a list of {kind, target, label}; kind is `place`, `offering`, `page`, `link`, `received` or `help`.
    `picture` is a PNG or JPEG. `late` says what to do after downtime: `send`, `skip` or `ask`.
    `version` counts changes of the words; `reviewed_version` is the one that two people last stood for.
    """

    __tablename__ = "notices"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    code: Mapped[str] = mapped_column(unique=True)
    category: Mapped[str]
    texts: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    urgency: Mapped[str] = mapped_column(default="normal")
    buttons: Mapped[list[Any]] = mapped_column(default_factory=list)
    picture: Mapped[bytes | None] = mapped_column(default=None)
    source: Mapped[str] = mapped_column(default="")
    review_by: Mapped[date | None] = mapped_column(default=None)
    valid_until: Mapped[datetime | None] = mapped_column(default=None)
    late: Mapped[str] = mapped_column(default="skip")
    version: Mapped[int] = mapped_column(default=1)
    reviewed_version: Mapped[int | None] = mapped_column(default=None)
    author_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)


class Schedule(Base):
    """When a notice is told again. `rule` is {kind, …} in the city's local time, `next_at` its next fire.

    `season` names the series that it belongs to, empty for none. A series that is switched on leaves alone what staff
    switched off (`is_on` false).
    """

    __tablename__ = "schedules"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    code: Mapped[str] = mapped_column(unique=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey(Notice.id, ondelete="CASCADE"), index=True)
    rule: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    audience: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    season: Mapped[str] = mapped_column(default="", index=True)
    is_on: Mapped[bool] = mapped_column(default=True)
    next_at: Mapped[datetime | None] = mapped_column(default=None, index=True)
    fired_at: Mapped[datetime | None] = mapped_column(default=None)
    author_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)
    approver_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)


class Season(Base):
    """A series of notices that is switched on."""

    __tablename__ = "seasons"

    name: Mapped[str] = mapped_column(primary_key=True)
    on_since: Mapped[datetime]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)


class Broadcast(Base):
    """A notice on its way to an audience; its recipients are rows of the outbox that name it.

    `state` is `draft`, `in_review`, `approved`, `scheduled`, `sending`, `paused`, `finished`, `cancelled` or
    `withdrawn`. `audience` is {vehicles, counties, locales, topic, booked, unanswered}, all of them optional.
    `starts_at` None means at once. The audience is resolved in steps up to the person `resolved_to`; `resolved_at` is
    when everybody had been looked at. `corrects_id` is the broadcast whose recipients this one corrects.
    """

    __tablename__ = "broadcasts"
    __table_args__ = (UniqueConstraint("schedule_id", "fire_at"), Index(None, "state", "starts_at"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    notice_id: Mapped[int] = mapped_column(ForeignKey(Notice.id, ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="draft")
    audience: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    starts_at: Mapped[datetime | None] = mapped_column(default=None)
    author_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)
    approver_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)
    comment: Mapped[str] = mapped_column(default="")
    previewed_at: Mapped[datetime | None] = mapped_column(default=None)
    approved_at: Mapped[datetime | None] = mapped_column(default=None)
    began_at: Mapped[datetime | None] = mapped_column(default=None)
    resolved_to: Mapped[int] = mapped_column(BigId, default=0)
    resolved_at: Mapped[datetime | None] = mapped_column(default=None)
    finished_at: Mapped[datetime | None] = mapped_column(default=None)
    pause_reason: Mapped[str] = mapped_column(default="")
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("broadcasts.id", ondelete="SET NULL"), default=None)
    schedule_id: Mapped[int | None] = mapped_column(ForeignKey(Schedule.id, ondelete="SET NULL"), default=None)
    fire_at: Mapped[datetime | None] = mapped_column(default=None)


class MassSend(Base):
    """The one message by which a platform tells many of a broadcast's recipients at once.

    `state` is `gathering`, `sending`, `accepted`, `finished` or `failed`; it is looked at next at `due`. `key` is ours
    and makes a second try harmless, `message_id` and `group_id` (0: none) are the platform's. `sent_at` counts against
    the quota.
    """

    __tablename__ = "mass_sends"
    __table_args__ = (Index(None, "channel", "sent_at"), Index(None, "channel", "due"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    broadcast_id: Mapped[int | None] = mapped_column(ForeignKey(Broadcast.id, ondelete="SET NULL"), unique=True)
    channel: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    at: Mapped[datetime]
    due: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="gathering")
    tries: Mapped[int] = mapped_column(default=0)
    people: Mapped[int] = mapped_column(default=0)
    group_id: Mapped[int] = mapped_column(BigInteger, default=0)
    message_id: Mapped[str] = mapped_column(default="")
    error: Mapped[str] = mapped_column(default="")
    sent_at: Mapped[datetime | None] = mapped_column(default=None)


class NoticeWish(Base):
    """What a person who agreed to notices wants of them; without this row nobody gets any.

    `quiet_from`, `quiet_to` are minutes after local midnight; None keeps the default. At most `weekly` normal ones a
    week, the rest in a digest. `off_at` is when they stopped all, red included.
    """

    __tablename__ = "notice_wishes"

    rider_id: Mapped[int] = mapped_column(
        BigId, ForeignKey(Rider.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    agreed_at: Mapped[datetime]
    off_at: Mapped[datetime | None] = mapped_column(default=None)
    quiet_from: Mapped[int | None] = mapped_column(default=None)
    quiet_to: Mapped[int | None] = mapped_column(default=None)
    weekly: Mapped[int] = mapped_column(default=5)


class MutedTopic(Base):
    """A category of notices that a person does not want; red ones come all the same."""

    __tablename__ = "muted_topics"

    rider_id: Mapped[int] = mapped_column(
        BigId, ForeignKey(Rider.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    topic: Mapped[str] = mapped_column(primary_key=True)


class NoticeResponse(Base):
    """What a person did with a notice; `reply` is `received`, `help` or empty."""

    __tablename__ = "notice_responses"

    broadcast_id: Mapped[int] = mapped_column(ForeignKey(Broadcast.id, ondelete="CASCADE"), primary_key=True)
    rider_id: Mapped[int] = mapped_column(ForeignKey(Rider.id, ondelete="CASCADE"), primary_key=True, index=True)
    read_at: Mapped[datetime | None] = mapped_column(default=None)
    tapped_at: Mapped[datetime | None] = mapped_column(default=None)
    reply: Mapped[str] = mapped_column(default="")
    replied_at: Mapped[datetime | None] = mapped_column(default=None)


class HelpCall(Base):
    """Somebody who answered a roll call with a call for help; what they say is encrypted.

    `note` is their line, `place` where they are in words or as `lat,lng` (WGS-84).
    """

    __tablename__ = "help_calls"
    __table_args__ = (Index(None, "handled_at", "at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    broadcast_id: Mapped[int | None] = mapped_column(ForeignKey(Broadcast.id, ondelete="SET NULL"))
    rider_id: Mapped[int] = mapped_column(ForeignKey(Rider.id, ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    note: Mapped[bytes | None] = mapped_column(default=None)
    place: Mapped[bytes | None] = mapped_column(default=None)
    handled_at: Mapped[datetime | None] = mapped_column(default=None)
    handled_by: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)


class WeatherWarning(Base):
    """A colour level of a kind of weather, proposed by staff or by a forecast, in force once it is approved.

    `kind` is `cold_wave`, `snow`, `ice`, `fog` or `gale`; `level` is `blue`, `yellow`, `orange` or `red`; `state` is
    `proposed`, `in_force`, `dismissed` or `over`. Empty `counties` mean the whole city. `origin` is `staff` or
    `forecast`.
    """

    __tablename__ = "weather_warnings"
    __table_args__ = (Index(None, "state", "ends_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    kind: Mapped[str]
    level: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    created_at: Mapped[datetime]
    origin: Mapped[str] = mapped_column(default="staff")
    state: Mapped[str] = mapped_column(default="proposed")
    counties: Mapped[list[str]] = mapped_column(default_factory=list)
    broadcast_id: Mapped[int | None] = mapped_column(ForeignKey(Broadcast.id, ondelete="SET NULL"), default=None)
    author_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)
    approver_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)
