"""Notices: words to riders, checked as they are written, and worded as a letter for each one who gets them."""

import asyncio
import base64
import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import Problem
from bot.i18n import DEFAULT_LOCALE, LOCALES, Text, Voice, _
from bot.messages import Button, Outgoing
from bot.models import Notice, Offering, Place

CATEGORIES: dict[str, Text] = {
    "winter_safety": _("Winter safety"),
    "weather": _("Weather"),
    "policy": _("Policies"),
    "traffic": _("Roads and traffic"),
    "health": _("Health"),
    "event": _("Events"),
    "benefit": _("Benefits"),
    "organisation": _("Our organisation"),
}
URGENCIES: dict[str, Text] = {"red": _("Red: at once"), "important": _("Important"), "normal": _("Normal")}
RANKS = {"red": 0, "important": 1, "normal": 2}
LATE: dict[str, Text] = {"send": _("Send it late"), "skip": _("Leave it out"), "ask": _("Ask the staff")}
BUTTONS: dict[str, Text] = {
    "place": _("📍 The place"),
    "offering": _("📅 Book"),
    "page": _("📖 Read more"),
    "link": _("🔗 Open the link"),
    "received": _("✓ Received"),
    "help": _("🆘 I need help"),
}
# The buttons by which a roll call is answered.
ANSWERS = ("received", "help")
MOST_BUTTONS = 3
MOST_TITLE, MOST_BODY = 60, 2_000
FIRST_SCREEN = 120
MOST_PICTURE = 1_000_000
_LONGEST_SIDE = 1_600
_MOST_PIXELS = 40_000_000
_MARKED: dict[str, Text] = {"red": _("🔴 Urgent: {title}"), "important": _("❗ Important: {title}")}


class BadNotice(Problem):
    text = _("That notice is not complete.")


class BadPicture(Problem):
    text = _("The picture must be a PNG or JPEG of at most 1 MB.")


@dataclass(frozen=True, slots=True)
class Words:
    """What a notice says in one language."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class NoticeButton:
    """A button below a notice. `target` is a code, a page's name or an https address; empty for the two answers.

    An empty `label` takes the usual one of its kind.
    """

    kind: str
    target: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG or JPEG without anything but its pixels: made by `picture`, or of a Photo that is bare."""

    data: bytes


async def picture(file: bytes) -> Picture:
    """The picture in `file`, drawn anew so that no metadata is left; raises BadPicture."""
    return Picture(await asyncio.to_thread(_redrawn, file))


def words_of(notice: Notice, locale: str) -> tuple[str, str, bool]:
    """Title and body in `locale`, and whether they are the Chinese ones because there are no others."""
    own = notice.texts.get(locale)
    words = own or notice.texts[DEFAULT_LOCALE]
    return words["title"], words["body"], own is None


def letter(notice: Notice, voice: Voice, broadcast_id: int, *, correction: str = "") -> Outgoing:
    """The notice as one person reads it, with its buttons and the way to stop its kind.

    With a `correction`, which says why the notice does not hold, it stands in place of the body.
    """
    title, body, is_fallback = words_of(notice, voice.locale)
    if correction:
        return Outgoing("\n".join((voice.word(_("Withdrawn: {title}", title=title)), correction)))
    marked = _MARKED.get(notice.urgency)
    lines = [voice.word(Text(marked.msgid, {"title": title})) if marked else title, body]
    if is_fallback:
        lines.append(voice.word(_("(In Chinese: there is no translation yet.)")))
    if notice.source:
        lines.append(voice.word(_("Source: {source}", source=notice.source)))
    if notice.urgency == "red":
        lines.append(voice.word(_("This kind comes at any hour. To stop all notices: TD 全部")))
    else:
        lines.append(voice.word(_("To stop this kind: TD")))
    rows = [(_pressed(button, voice, f"notice.{broadcast_id}.{n}"),) for n, button in enumerate(notice.buttons)]
    rows.append((Button(voice.word(_("🔕 No more of this kind")), f"mute.{notice.category}"),))
    photo = base64.b64encode(notice.picture).decode() if notice.picture else ""
    return Outgoing("\n".join(lines), tuple(rows), photo=photo)


def checked_texts(texts: Mapping[str, Words]) -> dict[str, Any]:
    """`texts` as they are stored, trimmed, without empty languages; raises BadNotice for ones that cannot be.

    Chinese may still be missing: a draft is kept as it is, and held back later.
    """
    kept: dict[str, Any] = {}
    for locale, words in texts.items():
        title, body = (part.replace("\0", "").strip() for part in (words.title, words.body))
        if locale not in LOCALES:
            raise BadNotice(_("There is no language {locale}.", locale=locale))
        if len(title) > MOST_TITLE or "\n" in title:
            raise BadNotice(_("A title is one line of at most {most} characters.", most=MOST_TITLE))
        if len(body) > MOST_BODY:
            raise BadNotice(_("A notice has at most {most} characters.", most=MOST_BODY))
        if title or body:
            kept[locale] = {"title": title, "body": body}
    return kept


def checked_buttons(buttons: Collection[NoticeButton]) -> list[Any]:
    """`buttons` as they are stored; raises BadNotice."""
    if len(buttons) > MOST_BUTTONS:
        raise BadNotice(_("A notice has at most {most} buttons.", most=MOST_BUTTONS))
    for button in buttons:
        if button.kind not in BUTTONS:
            raise BadNotice(_("There is no button of the kind {kind}.", kind=button.kind))
    return [{"kind": one.kind, "target": one.target.strip(), "label": one.label.strip()[:40]} for one in buttons]


def label(button: Mapping[str, str], voice: Voice) -> str:
    """What is written on a button, as it is stored."""
    return button.get("label") or voice.word(BUTTONS[button["kind"]])


async def dead_targets(db: AsyncSession, buttons: Iterable[Mapping[str, str]], pages: Collection[str]) -> list[str]:
    """The targets of buttons, as they are stored, that lead nowhere: not published, not a page, or no https address."""
    wanted: dict[str, set[str]] = {"place": set(), "offering": set(), "page": set(), "link": set()}
    for button in buttons:
        if button["kind"] in wanted:
            wanted[button["kind"]].add(button["target"])
    for kind, table in (("place", Place), ("offering", Offering)):
        if wanted[kind]:
            known = select(table.code).where(table.code.in_(wanted[kind]), table.state == "published")
            wanted[kind] -= set(await db.scalars(known))
    wanted["page"] -= set(pages)
    wanted["link"] = {link for link in wanted["link"] if not is_https(link)}
    return sorted(target for targets in wanted.values() for target in targets)


def is_https(link: str) -> bool:
    """Whether `link` is an https address of some host, in characters that cannot be mistaken."""
    rest = link.removeprefix("https://")
    host = rest.partition("/")[0].partition("?")[0]
    return (
        rest != link and "." in host and "@" not in host and link.isascii() and link.isprintable() and " " not in link
    )


def _pressed(button: Mapping[str, str], voice: Voice, press: str) -> Button:
    if button["kind"] == "link":
        return Button(label(button, voice), url=button["target"])
    return Button(label(button, voice), press)


def _redrawn(file: bytes) -> bytes:
    try:
        with Image.open(io.BytesIO(file), formats=("PNG", "JPEG")) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise BadPicture
            kind = str(opened.format)
            upright = ImageOps.exif_transpose(opened)
            upright.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
            bare = Image.frombytes(upright.mode, upright.size, upright.tobytes())
            if upright.mode == "P" and (palette := upright.getpalette()):
                bare.putpalette(palette)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as wrong:
        raise BadPicture from wrong
    drawn = io.BytesIO()
    bare.save(drawn, kind, **({"quality": 85} if kind == "JPEG" else {"optimize": True}))
    if drawn.tell() > MOST_PICTURE:
        raise BadPicture
    return drawn.getvalue()
