"""Pictures that people send: fetched and drawn anew before the turn that keeps one, and only if it was asked for."""

from collections.abc import Awaitable, Callable

from sqlalchemy import select

from bot.database import Database
from bot.messages import Address, Incoming, Photo
from bot.models import Contact, Talk
from bot.services import notices

# By the name that the channel gave a picture; None where it cannot be had.
Fetch = Callable[[str], Awaitable[bytes | None]]


async def developed(heard: Incoming, fetch: Fetch | None, database: Database) -> Incoming:
    """`heard` with its picture bare, if a picture is what this person was asked for; else without any.

    Meant for the edge: nothing is fetched or drawn inside a transaction. A picture that cannot be had or used leaves
    `photo` None.
    """
    photo = heard.photo
    if photo is None or not await _is_asked_for(database, heard.sender):
        return heard._replace(photo=None)
    file = photo.file or (await fetch(photo.name) if fetch and photo.name else None)
    if not file:
        return heard._replace(photo=None)
    try:
        bare = await notices.picture(file)
    except notices.BadPicture:
        return heard._replace(photo=None)
    return heard._replace(photo=Photo(file=bare.data, is_bare=True))


async def _is_asked_for(database: Database, address: Address) -> bool:
    query = (
        select(Talk.asked)
        .join(Contact, Contact.id == Talk.contact_id)
        .where(Contact.channel == address.channel, Contact.user == address.user, Talk.dialog != "")
    )
    async with database.reading() as db:
        asked = await db.scalar(query)
    return asked is not None and asked.get("kind") == "photo"
