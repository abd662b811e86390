"""What the services around notices must know of the installation."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from bot.i18n import Voice, voice
from bot.services.broadcasts.audience import Reach
from bot.services.city import County


@dataclass(frozen=True, slots=True)
class Newsroom:
    """The channels, the city's clock, the pages of knowledge that a button may open, the counties by their codes."""

    reach: Reach
    zone: ZoneInfo
    pages: Collection[str] = field(default_factory=frozenset)
    counties: Mapping[str, County] = field(default_factory=dict)

    def voice(self, locale: str) -> Voice:
        return voice(locale, self.zone)
