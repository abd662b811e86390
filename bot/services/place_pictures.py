"""The picture of a place: drawn anew from whatever staff send, so that it shows nothing but its pixels."""

import asyncio
import hashlib
import io
import struct
import zlib
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert
from bot.errors import Problem
from bot.i18n import _
from bot.models import Place, PlacePicture
from bot.services import audit, place_desk
from bot.services.authority import Member

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 10 * 2**20
SIDE = 1280
CHANGED, REMOVED = "place.picture", "place.picture.remove"
# A JPEG is unpacked at a fraction of its size, other formats are not.
_MOST_PIXELS = {"JPEG": 64_000_000, "PNG": 24_000_000, "WEBP": 24_000_000}
_QUALITY = 80
# What is known of a picture that can be seen, of a place that riders can see.
_PUBLIC = ("published", "closed")


class BadPicture(Problem):
    text = _("The picture must be a JPEG, PNG or WebP of at most {most} MB.", most=LARGEST // 2**20)


class NoPicture(Problem):
    text = _("There is no picture.")


async def redrawn(file: bytes) -> bytes:
    """The picture in `file` as a JPEG of at most SIDE pixels a side, upright, bare; raises BadPicture."""
    return await asyncio.to_thread(_redrawn, file)


async def put(db: AsyncSession, member: Member, code: str, picture: bytes, *, now: datetime) -> None:
    """Give the place this picture, made by `redrawn`; raises NoSuchPlace, NotAllowed."""
    place = await place_desk.writable(db, member, code)
    before = await db.scalar(select(PlacePicture.data).where(PlacePicture.place_id == place.id))
    values = {"data": picture, "at": now}
    statement = insert(db, PlacePicture).values(place_id=place.id, **values)
    await db.execute(statement.on_conflict_do_update(index_elements=["place_id"], set_=values))
    then = {"picture": _digest(before)} if before else {}
    after = {"picture": _digest(picture)}
    await audit.record(db, member, CHANGED, f"place:{code}", now=now, before=then, after=after)


async def remove(db: AsyncSession, member: Member, code: str, *, now: datetime) -> None:
    """Take the picture away; raises NoPicture, NoSuchPlace, NotAllowed."""
    place = await place_desk.writable(db, member, code)
    gone = delete(PlacePicture).where(PlacePicture.place_id == place.id).returning(PlacePicture.data)
    before = (await db.execute(gone)).scalar_one_or_none()
    if before is None:
        raise NoPicture
    await audit.record(db, member, REMOVED, f"place:{code}", now=now, before={"picture": _digest(before)})


async def stamp(db: AsyncSession, place_id: int) -> str:
    """What changes with the picture of a place; empty where there is none."""
    at = await db.scalar(select(PlacePicture.at).where(PlacePicture.place_id == place_id))
    return f"{int(at.timestamp() * 1000):x}" if at else ""


async def public(db: AsyncSession, code: str) -> bytes | None:
    """The picture of a place that riders can see."""
    query = select(PlacePicture.data).join(Place, Place.id == PlacePicture.place_id)
    found: bytes | None = await db.scalar(query.where(Place.code == code, Place.state.in_(_PUBLIC)))
    return found


async def of(db: AsyncSession, member: Member, code: str) -> bytes | None:
    """The picture of a place that this member looks after; raises NoSuchPlace, NotAllowed."""
    place = await place_desk.found(db, member, code)
    found: bytes | None = await db.scalar(select(PlacePicture.data).where(PlacePicture.place_id == place.id))
    return found


def _digest(picture: bytes) -> str:
    return hashlib.sha256(picture).hexdigest()[:16]


def _redrawn(file: bytes) -> bytes:
    from PIL import Image, ImageOps

    if len(file) > LARGEST:
        raise BadPicture
    try:
        with Image.open(io.BytesIO(file), formats=tuple(_MOST_PIXELS)) as opened:
            if opened.width * opened.height > _MOST_PIXELS[opened.format or ""]:
                raise BadPicture
            opened.draft("RGB", (SIDE, SIDE))
            opened.thumbnail((SIDE, SIDE))
            return _bare(ImageOps.exif_transpose(opened))
    except (
        *(OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, struct.error, zlib.error),
        *(Image.DecompressionBombError, Image.DecompressionBombWarning),
    ) as wrong:
        raise BadPicture from wrong


def _bare(picture: "Image") -> bytes:
    """The pixels alone, on white where they are transparent."""
    from PIL import Image

    seen = picture.convert("RGBA")
    paper = Image.new("RGB", seen.size, "white")
    paper.paste(seen, mask=seen.getchannel("A"))
    out = io.BytesIO()
    paper.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()
