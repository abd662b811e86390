"""A broadcast as a TOML file, for scripts; what is in it is described in docs/how-to/send-a-notice.md."""

import asyncio
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot.i18n import _
from bot.services import notices
from bot.services.broadcasts.audience import Audience
from bot.services.broadcasts.composing import Draft
from bot.services.notices import BadNotice, NoticeButton, Words

_PLAIN = ("category", "urgency", "source", "late")
_TIMES = ("valid_until", "starts_at")


async def read(file: Path, zone: ZoneInfo) -> Draft:
    """The draft in `file`; times without offset are local to `zone`. Raises BadNotice, BadPicture, OSError."""
    try:
        text = (await asyncio.to_thread(file.read_bytes)).decode("utf-8-sig")
        return await _draft(tomllib.loads(text), file.parent, zone)
    except (ValueError, TypeError, AttributeError, KeyError) as wrong:
        raise BadNotice(_("The file is not a notice: {why}", why=f"{type(wrong).__name__}: {wrong}")) from wrong


def moment(value: object, zone: ZoneInfo) -> datetime:
    """A time, or the first moment of a day, as TOML has it or in ISO; local to `zone` unless it says otherwise.

    Raises BadNotice.
    """
    try:
        known = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        known = None
    if isinstance(known, date) and not isinstance(known, datetime):
        known = datetime.combine(known, time())
    if not isinstance(known, datetime):
        raise BadNotice(_("{value} is no time.", value=str(value)))
    return known if known.tzinfo else known.replace(tzinfo=zone)


async def _draft(kept: Mapping[str, Any], folder: Path, zone: ZoneInfo) -> Draft:
    values = dict(kept)
    more: dict[str, Any] = {name: str(values.pop(name)) for name in _PLAIN if name in values}
    more |= {name: moment(values.pop(name), zone) for name in _TIMES if name in values}
    more["texts"] = {locale: Words(**words) for locale, words in values.pop("texts").items()}
    more["audience"] = Audience.from_json(values.pop("audience", {}))
    more["buttons"] = [NoticeButton(**button) for button in values.pop("buttons", [])]
    if picture := values.pop("picture", ""):
        more["picture"] = await notices.picture(await asyncio.to_thread((folder / picture).read_bytes))
    if values:
        raise ValueError(f"nobody knows {', '.join(sorted(values))}")
    return Draft(**more)
