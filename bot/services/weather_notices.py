"""The notice of a weather warning: made of the prepared words, which two people stand for the first time."""

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Broadcast, Notice, WeatherWarning
from bot.services.weather_words import Prepared

URGENCIES = {"blue": "normal", "yellow": "important", "orange": "red", "red": "red"}


async def prepare(
    db: AsyncSession, kind: str, level: str, words: Prepared, *, ends_at: datetime, now: datetime
) -> Notice:
    """This warning's own notice; reviewed already if its words are those that two people stood for."""
    texts = words.texts(kind, level)
    urgency = URGENCIES[level]
    buttons = (
        [{"kind": answer, "target": "", "label": ""} for answer in ("received", "help")] if urgency == "red" else []
    )
    content: dict[str, Any] = {"texts": texts, "urgency": urgency, "buttons": buttons, "source": words.source}
    base_code = f"weather-{kind}-{level}"
    base = await db.scalar(select(Notice).where(Notice.code == base_code))
    if base is None:
        base = Notice(code=base_code, category="weather", created_at=now, **content)
        db.add(base)
    elif any(getattr(base, name) != value for name, value in content.items()):
        for name, value in content.items():
            setattr(base, name, value)
        base.version += 1
    is_reviewed = base.reviewed_version == base.version
    notice = Notice(
        code=f"{base_code}-{secrets.token_hex(6)}",
        category="weather",
        created_at=now,
        valid_until=ends_at,
        late="send",
        reviewed_version=1 if is_reviewed else None,
        **content,
    )
    db.add(notice)
    await db.flush()
    return notice


async def is_reviewed(db: AsyncSession, warning: WeatherWarning) -> bool:
    """Whether two people stand for this warning's words."""
    told = select(Notice.reviewed_version == Notice.version).join(Broadcast, Broadcast.notice_id == Notice.id)
    return bool(await db.scalar(told.where(Broadcast.id == warning.broadcast_id)))


async def remember_review(db: AsyncSession, warning: WeatherWarning) -> None:
    """The prepared words now have two people behind them, if it was these that they looked at."""
    told = select(Notice.texts).join(Broadcast, Broadcast.notice_id == Notice.id)
    texts = await db.scalar(told.where(Broadcast.id == warning.broadcast_id))
    base = await db.scalar(select(Notice).where(Notice.code == f"weather-{warning.kind}-{warning.level}"))
    if base is not None and base.texts == texts:
        base.reviewed_version = base.version
        await db.flush()
