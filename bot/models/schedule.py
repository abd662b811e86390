"""What is due later, and which loops are alive."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, BigId


class Due(Base):
    """Something to do later; done, it is deleted in the transaction that did it."""

    __tablename__ = "due"
    __table_args__ = (Index(None, "at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    key: Mapped[str] = mapped_column(unique=True)
    job: Mapped[str]
    at: Mapped[datetime]
    values: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    tries: Mapped[int] = mapped_column(default=0)


class Heartbeat(Base):
    """The last sign of life of a loop, whichever process runs it."""

    __tablename__ = "heartbeats"

    loop: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    ok: Mapped[bool] = mapped_column(default=True)
    detail: Mapped[str] = mapped_column(default="")


class Lease(Base):
    """What only one process at a time may do, and until when the holder may do it."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    until: Mapped[datetime]
