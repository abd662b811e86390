"""What a channel remembers that answers within the platform's own request, and the tokens that it sends with."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, BigId


class Exchange(Base):
    """One message and its one answer, so that every delivery of it, in any process, is answered alike.

    `key` is the message's. `since` is when it first came; whoever works on it may take until `until`. `answer` is
    encrypted, None as long as there is none, `told` whether anybody was waiting for it. `opens` is the reply window
    that the message opens, empty once that is written down.
    """

    __tablename__ = "exchanges"
    __table_args__ = (Index(None, "channel", "user"), Index(None, "since"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    key: Mapped[str] = mapped_column(unique=True)
    channel: Mapped[str]
    user: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime]
    opens: Mapped[str] = mapped_column(default="")
    answer: Mapped[bytes | None] = mapped_column(default=None)
    told: Mapped[bool] = mapped_column(default=True)


class AccessToken(Base):
    """A token of a platform that all processes share. `sealed` is encrypted; it holds until `until`.

    Whoever fetches the next one has until `renewing_until` to do so.
    """

    __tablename__ = "access_tokens"

    name: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes | None] = mapped_column(default=None)
    until: Mapped[datetime | None] = mapped_column(default=None)
    renewing_until: Mapped[datetime | None] = mapped_column(default=None)
