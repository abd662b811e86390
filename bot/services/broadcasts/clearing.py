"""Recipients of a cancelled broadcast who had not got it yet: let go in slices, one statement each."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import rows_changed
from bot.models import Outbound
from bot.schedule import later

JOB = "broadcast.clear"
UNSENT = ("queued", "waiting", "digest")
_SLICE = 5_000


async def clear(db: AsyncSession, now: datetime, *, broadcast_id: int, slice_number: int = 0) -> None:
    """Cancel the next unsent rows, and make another slice due if there may be more."""
    rows = (
        select(Outbound.id)
        .where(Outbound.broadcast_id == broadcast_id, Outbound.state.in_(UNSENT))
        .limit(_SLICE)
        .with_for_update()
    )
    cancelled = update(Outbound).where(Outbound.id.in_(rows)).values(state="cancelled")
    count = await rows_changed(db, cancelled.execution_options(synchronize_session=False))
    if count == _SLICE:
        values: dict[str, Any] = {"broadcast_id": broadcast_id, "slice_number": slice_number + 1}
        await later(db, now, JOB, key=f"{JOB}:{broadcast_id}:{slice_number + 1}", **values)
