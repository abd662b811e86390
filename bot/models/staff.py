"""People who work for the city."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, BigId


class StaffMember(Base):
    """A login. `role` is one of `admin`, `editor`, `approver`, `operator`, `lawyer`, `county`, `viewer`.

    `totp_secret` is encrypted, and `totp_step` the last time step whose code was used, so that none counts twice.
    With `must_change` the next login first chooses a new password.
    """

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    login: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str]
    created_at: Mapped[datetime]
    counties: Mapped[list[str]] = mapped_column(default_factory=list)
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None] = mapped_column(default=None)
    totp_secret: Mapped[bytes | None] = mapped_column(default=None)
    totp_step: Mapped[int] = mapped_column(default=0)
    must_change: Mapped[bool] = mapped_column(default=False)
    disabled_at: Mapped[datetime | None] = mapped_column(default=None)


class StaffSession(Base):
    """A browser that is logged in, known by the hash of its cookie."""

    __tablename__ = "staff_sessions"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey(StaffMember.id, ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    csrf: Mapped[str]


class StaffReset(Base):
    """A one-time link by which somebody of the staff chooses a new password, known by the hash of its token."""

    __tablename__ = "staff_resets"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey(StaffMember.id, ondelete="CASCADE"), index=True)
    until: Mapped[datetime]


class StaffFile(Base):
    """The file that somebody of the staff sent last, for as long as they look at what it would do."""

    __tablename__ = "staff_files"

    staff_id: Mapped[int] = mapped_column(
        BigId, ForeignKey(StaffMember.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    name: Mapped[str]
    digest: Mapped[str]
    data: Mapped[bytes]
    at: Mapped[datetime]
