"""Where each conversation stands."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, BigId
from bot.models.riders import Contact


class Heard(Base):
    """A message that was already acted on; its key refuses a second hearing."""

    __tablename__ = "heard"
    __table_args__ = (Index(None, "at"),)

    channel: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class Talk(Base):
    """Where one contact's dialog stands, so that any process can go on with it."""

    __tablename__ = "talks"

    contact_id: Mapped[int] = mapped_column(
        BigId, ForeignKey(Contact.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    dialog: Mapped[str] = mapped_column(default="")
    step: Mapped[str] = mapped_column(default="")
    exchange: Mapped[int] = mapped_column(default=0)
    draft: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    asked: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    trail: Mapped[list[str]] = mapped_column(default_factory=list)


class Choices(Base):
    """The last numbered list shown to a contact on a channel without buttons: tokens as they were numbered."""

    __tablename__ = "choices"

    contact_id: Mapped[int] = mapped_column(
        BigId, ForeignKey(Contact.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    tokens: Mapped[list[str]]
    shown_at: Mapped[datetime]


class ReplyWindow(Base):
    """Until when, and how many times more, a contact may be written to on a channel that limits that."""

    __tablename__ = "reply_windows"

    contact_id: Mapped[int] = mapped_column(
        BigId, ForeignKey(Contact.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    until: Mapped[datetime]
    remaining: Mapped[int]
