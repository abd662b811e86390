"""Who comes to which session, and how that came about."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, BigId
from bot.models.offerings import Offering, Session
from bot.models.riders import Contact, Rider
from bot.models.staff import StaffMember


def _where(condition: str) -> dict[str, Any]:
    """A partial index, in the words of both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Booking(Base):
    """One person's booking of one session, from the hold to the day after.

    `state` is `held`, `booked`, `pending`, `waiting`, `offered`, `cancelled`, `attended` or `no_show`; `reason` says
    how a cancelled one ended (`rider`, `staff`, `session`, `expired`, `declined`, `refused`, `linked`, `erased`).
    A held or offered seat is this person's until `until`. `name`, `phone`, `note`, `answers` (JSON) and `remark`
    are encrypted; `phone_hash` is keyed. `agreed` is the session's sequence that this person agreed to: whoever
    was moved by staff may leave freely. `struck_at` is when a late cancellation or a no-show was counted.
    A row whose person was erased has no rider and stays as a number.
    """

    __tablename__ = "bookings"
    __table_args__ = (
        Index("uq_bookings_one_each", "rider_id", "session_id", unique=True, **_where("state <> 'cancelled'")),
        Index("uq_bookings_one_hold", "rider_id", unique=True, **_where("state = 'held'")),
        Index(None, "session_id", "state"),
        Index(None, "rider_id", "offering_id"),
        Index("ix_bookings_until", "until", **_where("state IN ('held', 'offered')")),
        Index("ix_bookings_phone", "phone_hash", "offering_id", **_where("phone_hash <> ''")),
        Index("ix_bookings_network", "network", "created_at", **_where("network <> ''")),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    code: Mapped[str] = mapped_column(unique=True)
    rider_id: Mapped[int | None] = mapped_column(ForeignKey(Rider.id, ondelete="SET NULL"))
    session_id: Mapped[int] = mapped_column(ForeignKey(Session.id))
    offering_id: Mapped[int] = mapped_column(ForeignKey(Offering.id))
    state: Mapped[str]
    created_at: Mapped[datetime]
    contact_id: Mapped[int | None] = mapped_column(ForeignKey(Contact.id, ondelete="SET NULL"), default=None)
    until: Mapped[datetime | None] = mapped_column(default=None)
    reason: Mapped[str] = mapped_column(default="")
    name: Mapped[bytes | None] = mapped_column(default=None)
    phone: Mapped[bytes | None] = mapped_column(default=None)
    note: Mapped[bytes | None] = mapped_column(default=None)
    answers: Mapped[bytes | None] = mapped_column(default=None)
    phone_hash: Mapped[str] = mapped_column(default="")
    network: Mapped[str] = mapped_column(default="")
    sequence: Mapped[int] = mapped_column(default=0)
    agreed: Mapped[int] = mapped_column(default=0)
    struck_at: Mapped[datetime | None] = mapped_column(default=None)
    rating: Mapped[int | None] = mapped_column(default=None)
    remark: Mapped[bytes | None] = mapped_column(default=None)


class BookingChange(Base):
    """One step in a booking's life: `who` is `rider`, `staff` or `system`."""

    __tablename__ = "booking_changes"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    booking_id: Mapped[int] = mapped_column(ForeignKey(Booking.id, ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    who: Mapped[str]
    from_state: Mapped[str]
    to_state: Mapped[str]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)
    from_session: Mapped[int | None] = mapped_column(default=None)
    to_session: Mapped[int | None] = mapped_column(default=None)
