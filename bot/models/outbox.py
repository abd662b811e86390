"""Messages on their way out."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, BigId
from bot.models.notices import Broadcast
from bot.models.riders import Contact


class Outbound(Base):
    """A message to deliver; written in the transaction that decided to say it.

    `at` is when it should go out, `due` when it is looked at next: a claimed row moves `due` to the end of its
    lease, a failed one to its next attempt.
    `lane` is `answer`, `personal` or `bulk`; within a lane, rows of a lower `rank` go first (0 red, 1 important,
    2 normal). `state` is `queued`, `sent`, `failed` or `stopped`; `provider_id` is the platform's id for it.

    A row of a broadcast has no `message`: it is worded when it goes out, in the language and by the wishes that the
    person has then. It may also be `waiting` (in the mailbox, for their next contact), `digest` (for the weekly
    digest), `muted`, `expired` or `cancelled`. `tried_at` is when it last left or failed.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(None, "state", "channel", "lane", "rank", "due"),
        Index(None, "contact_id", "state"),
        Index(None, "broadcast_id", "state", "channel", "due"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    contact_id: Mapped[int] = mapped_column(ForeignKey(Contact.id, ondelete="CASCADE"))
    channel: Mapped[str]
    lane: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    message: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    due: Mapped[datetime]
    rank: Mapped[int] = mapped_column(default=2, server_default="2")
    broadcast_id: Mapped[int | None] = mapped_column(ForeignKey(Broadcast.id, ondelete="CASCADE"), default=None)
    state: Mapped[str] = mapped_column(default="queued")
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")
    provider_id: Mapped[str] = mapped_column(default="")
    sent_at: Mapped[datetime | None] = mapped_column(default=None)
    tried_at: Mapped[datetime | None] = mapped_column(default=None)


class Step(Base):
    """When the next message of a token, or to one person (`TOKEN:HASH`), may go out; shared by all processes."""

    __tablename__ = "steps"

    name: Mapped[str] = mapped_column(primary_key=True)
    next_at: Mapped[datetime]


class Pause(Base):
    """A channel that asked us to wait: nothing is sent there before `until`."""

    __tablename__ = "pauses"

    channel: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]
    reason: Mapped[str] = mapped_column(default="")
