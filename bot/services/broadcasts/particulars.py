"""What staff should know of a broadcast beside its words: whom it is for, when it begins, what can be pressed."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.i18n import Text, Voice, _
from bot.models import Broadcast, Notice, Offering
from bot.services import notices, riders
from bot.services.broadcasts.audience import Audience
from bot.services.broadcasts.findings import LANGUAGES
from bot.services.broadcasts.newsroom import Newsroom


async def particulars(
    db: AsyncSession, broadcast: Broadcast, notice: Notice, *, newsroom: Newsroom, voice: Voice
) -> tuple[str, ...]:
    """A line each, for a chat."""
    audience = await whom(db, Audience.from_json(broadcast.audience), newsroom=newsroom, voice=voice)
    begins = _("Begins {at}", at=broadcast.starts_at) if broadcast.starts_at else _("Begins once approved")
    lines = [_("To: {audience}", audience=audience), begins]
    if notice.buttons:
        labels = " · ".join(notices.label(button, voice) for button in notice.buttons)
        lines.append(_("Buttons: {labels}", labels=labels))
    return tuple(voice.word(line) for line in lines)


async def whom(db: AsyncSession, audience: Audience, *, newsroom: Newsroom, voice: Voice) -> str:
    """The conditions that all hold for who gets it."""
    conditions: list[Text | str] = [
        *(riders.VEHICLE_NAMES[vehicle] for vehicle in audience.vehicles),
        *(county.called(voice.locale) for code in audience.counties if (county := newsroom.counties.get(code))),
        *(LANGUAGES[locale] for locale in audience.locales),
    ]
    if audience.topic:
        conditions.append(_("who wants to hear of “{topic}”", topic=notices.CATEGORIES[audience.topic]))
    if audience.booked:
        title = await db.scalar(select(Offering.title).where(Offering.code == audience.booked))
        conditions.append(_("who booked “{offering}”", offering=title or audience.booked))
    if audience.unanswered:
        conditions.append(_("no answer to notice {id}", id=audience.unanswered))
    if audience.got:
        conditions.append(_("who got notice {id}", id=audience.got))
    everybody: Text = _("Everybody")
    return " · ".join(map(voice.word, conditions or [everybody]))
