"""Who of the staff did what: rows are only ever added."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, BigId
from bot.models.staff import StaffMember


class AuditEntry(Base):
    """One write by staff. `login` outlives the account; `before`, `after` hold what changed, no personal data.

    `action` is a verb such as `broadcast.approve`; `subject` names the thing, such as `broadcast:12`.
    """

    __tablename__ = "audit"
    __table_args__ = (Index(None, "subject", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, init=False)
    at: Mapped[datetime]
    login: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey(StaffMember.id, ondelete="SET NULL"), default=None)
    before: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    after: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
