"""What people agreed to, and the codes by which they link their addresses."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, BigId
from bot.models.riders import Contact, Rider
from bot.models.staff import StaffMember


class Consent(Base):
    """One person's consent to one purpose, in the words of one version; kept after it was withdrawn."""

    __tablename__ = "consents"
    __table_args__ = (Index(None, "rider_id", "purpose"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    rider_id: Mapped[int] = mapped_column(ForeignKey(Rider.id, ondelete="CASCADE"))
    purpose: Mapped[str]
    version: Mapped[int]
    given_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None] = mapped_column(default=None)


class LinkCode(Base):
    """A code to be typed once, elsewhere: a rider's second address, or the chat of somebody on the staff."""

    __tablename__ = "link_codes"

    code_hash: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]
    rider_id: Mapped[int | None] = mapped_column(ForeignKey(Rider.id, ondelete="CASCADE"), default=None, index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="CASCADE"), default=None)


class LinkTry(Base):
    """A code was typed, right or wrong: too many in a short time are refused."""

    __tablename__ = "link_tries"
    __table_args__ = (Index(None, "contact_id", "at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    contact_id: Mapped[int] = mapped_column(ForeignKey(Contact.id, ondelete="CASCADE"))
    at: Mapped[datetime]


class StaffChat(Base):
    """A chat through which somebody on the staff works."""

    __tablename__ = "staff_chats"

    contact_id: Mapped[int] = mapped_column(
        BigId, ForeignKey(Contact.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    staff_id: Mapped[int] = mapped_column(ForeignKey(StaffMember.id, ondelete="CASCADE"), index=True)
    linked_at: Mapped[datetime]
