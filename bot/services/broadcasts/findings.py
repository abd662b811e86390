"""What holds a notice back before it is approved, and what staff should think of first."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.channel_names import called
from bot.errors import Problem
from bot.i18n import DEFAULT_LOCALE, LOCALES, Text, _
from bot.messages import numbered
from bot.models import Broadcast, Notice, Offering
from bot.services import notices
from bot.services.broadcasts.audience import Audience, concerned, reached_now
from bot.services.broadcasts.newsroom import Newsroom

LANGUAGES: dict[str, Text] = {
    "zh_CN": _("simplified Chinese"),
    "zh_TW": _("traditional Chinese"),
    "en": _("English"),
}


NOBODY = _("Nobody would get it: no rider who agreed to notices of this kind meets the conditions.")


class Blocked(Problem):
    """Something must be put right first; `text` says all of it."""

    def __init__(self, blockers: tuple[Text, ...]) -> None:
        self.blockers = blockers
        super().__init__(functools.reduce(_below, blockers))


@dataclass(frozen=True, slots=True)
class Findings:
    """`blockers` forbid to hand in and to approve, `warnings` are for staff to weigh."""

    blockers: tuple[Text, ...]
    warnings: tuple[Text, ...]


async def find(
    db: AsyncSession, broadcast: Broadcast, notice: Notice, *, newsroom: Newsroom, now: datetime
) -> Findings:
    """Everything that is wrong or doubtful with the broadcast at this moment."""
    blockers = await find_blockers(db, broadcast, notice, newsroom=newsroom, now=now)
    warnings = [*_doubts(broadcast, notice)]
    riders = _riders(broadcast, notice)
    if not await _any(db, riders):
        warnings.append(_("Nobody meets the conditions yet."))
    elif not await _any(db, reached_now(riders, newsroom.reach, now)):
        warnings.append(_("Nobody can be reached now: everybody gets it at their next contact."))
    return Findings(blockers, tuple(warnings))


async def find_blockers(
    db: AsyncSession, broadcast: Broadcast, notice: Notice, *, newsroom: Newsroom, now: datetime
) -> tuple[Text, ...]:
    """What forbids the broadcast at this moment; it counts nobody, however many riders there are."""
    begins_at = max(broadcast.starts_at or now, now)
    blockers = [*_missing_words(notice), *_too_long(notice, broadcast.id, newsroom)]
    if begins_at == now and not await _any(db, _riders(broadcast, notice)):
        blockers.append(NOBODY)
    if (code := Audience.from_json(broadcast.audience).booked) and not await _any(db, _offerings(code)):
        blockers.append(_("There is no offering {code}.", code=code))
    if notice.valid_until is not None and notice.valid_until <= begins_at:
        blockers.append(_("It would be out of date before it begins: valid until {until}.", until=notice.valid_until))
    for target in await notices.dead_targets(db, notice.buttons, newsroom.pages):
        blockers.append(_("A button leads nowhere: {target}", target=target or "—"))
    return tuple(blockers)


def _riders(broadcast: Broadcast, notice: Notice) -> Select[int]:
    return concerned(Audience.from_json(broadcast.audience), category=notice.category, urgency=notice.urgency)


def _offerings(code: str) -> Select[int]:
    return select(Offering.id).where(Offering.code == code)


async def _any(db: AsyncSession, query: Select[int]) -> bool:
    return await db.scalar(query.limit(1)) is not None


def _missing_words(notice: Notice) -> Iterator[Text]:
    chinese = notice.texts.get(DEFAULT_LOCALE, {})
    if not chinese.get("title") or not chinese.get("body"):
        yield _("Title and text in Chinese are missing.")
    for locale, words in notice.texts.items():
        if locale != DEFAULT_LOCALE and not (words["title"] and words["body"]):
            yield _("Title or text in {language} is missing.", language=LANGUAGES[locale])


def _too_long(notice: Notice, broadcast_id: int, newsroom: Newsroom) -> Iterator[Text]:
    for locale in notice.texts if DEFAULT_LOCALE in notice.texts else ():
        # With its choices spelled out, as a channel without buttons shows it: no channel shows more.
        message, _tokens = numbered(notices.letter(notice, newsroom.voice(locale), broadcast_id))
        length = len(message.text.encode("utf-16-le")) // 2
        for channel, limit in sorted(newsroom.reach.limits.items()):
            if length > limit:
                yield _(
                    "Too long in {language}: {length} characters, and {channel} takes {limit}.",
                    language=LANGUAGES[locale],
                    length=length,
                    channel=called(channel),
                    limit=limit,
                )


def _doubts(broadcast: Broadcast, notice: Notice) -> Iterator[Text]:
    for locale in LOCALES:
        if locale != DEFAULT_LOCALE and locale not in notice.texts:
            yield _("There are no words in {language}: these riders read Chinese.", language=LANGUAGES[locale])
    if broadcast.previewed_at is None:
        yield _("Nobody has looked at a preview of it.")
    chinese = notice.texts.get(DEFAULT_LOCALE, {"title": "", "body": ""})
    if len(chinese["title"]) + len(chinese["body"].partition("\n\n")[0]) > notices.FIRST_SCREEN:
        yield _("More than {most} characters on the first screen.", most=notices.FIRST_SCREEN)
    if not notice.source:
        yield _("It names no source.")


def _below(first: Text, second: Text) -> Text:
    return Text("{first}\n{second}", {"first": first, "second": second})
