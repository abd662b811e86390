"""Signing in on the web page from a chat: a link that makes the page one more address of the same person, once."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.i18n import DEFAULT_LOCALE
from bot.models import Contact, LinkCode
from bot.services.desk import Desk

LIVES = timedelta(minutes=10)


async def issue(db: AsyncSession, rider_id: int, *, now: datetime, desk: Desk) -> str:
    """The address of a link for this rider: good once, for ten minutes."""
    token = secrets.token_urlsafe(24)
    db.add(LinkCode(_hash(token, desk), until=now + LIVES, rider_id=rider_id))
    await db.flush()
    return f"{desk.public_url}/s/{token}"


async def use(db: AsyncSession, token: str, channel: str, *, now: datetime, desk: Desk) -> str | None:
    """Use the link up: a new address on `channel`, of whoever asked for the link; None if it is of no use any more."""
    taken = delete(LinkCode).where(LinkCode.code_hash == _hash(token, desk), LinkCode.until > now)
    rider_id = await db.scalar(taken.returning(LinkCode.rider_id))
    if rider_id is None:
        return None
    spoken = select(Contact.locale).where(Contact.rider_id == rider_id).order_by(Contact.id).limit(1)
    locale = await db.scalar(spoken) or DEFAULT_LOCALE
    user = secrets.token_urlsafe(16)
    db.add(Contact(rider_id, channel, user, locale, now))
    await db.flush()
    return user


def _hash(token: str, desk: Desk) -> str:
    return desk.seals.signature("sign-in", token, 32)
