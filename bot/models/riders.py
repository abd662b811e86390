"""People, and the addresses at which they talk to us."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, BigId


class Rider(Base):
    """One person. `vehicle` is `courier`, `parcel`, `ridehail`, `truck`, `none` (skipped) or empty (not asked)."""

    __tablename__ = "riders"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    created_at: Mapped[datetime]
    vehicle: Mapped[str] = mapped_column(default="")
    county: Mapped[str] = mapped_column(default="")


class Contact(Base):
    """One address of a person; `stopped_at` is when it became unreachable (blocked, unfollowed)."""

    __tablename__ = "contacts"
    __table_args__ = (UniqueConstraint("channel", "user"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    rider_id: Mapped[int] = mapped_column(ForeignKey(Rider.id, ondelete="CASCADE"), index=True)
    channel: Mapped[str]
    user: Mapped[str]
    locale: Mapped[str]
    created_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None] = mapped_column(default=None)
