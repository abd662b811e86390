"""What the services around notices must know of the installation."""

from collections.abc import Collection
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from bot.i18n import Voice, voice
from bot.services.broadcasts.audience import Reach


@dataclass(frozen=True, slots=True)
class Newsroom:
    """The channels, the city's clock, and the pages of knowledge that a button may open."""

    reach: Reach
    zone: ZoneInfo
    pages: Collection[str] = field(default_factory=frozenset)

    def voice(self, locale: str) -> Voice:
        return voice(locale, self.zone)
