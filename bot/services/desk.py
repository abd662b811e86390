"""What the services around bookings must know of the installation."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.seals import Seals
from bot.services.holidays import Calendar, mainland

QUIET_FROM, QUIET_TO = time(22), time(7)


@dataclass(frozen=True, slots=True)
class Desk:
    """The keys, the city's clock and holidays, whether samples are shown, and the address that links start with."""

    seals: Seals
    zone: ZoneInfo
    demo: bool = False
    public_url: str = ""
    calendar: Calendar = field(default_factory=mainland)

    def is_quiet(self, now: datetime) -> bool:
        """Whether people sleep: from 22:00 to 07:00, local."""
        local = now.astimezone(self.zone).time()
        return local >= QUIET_FROM or local < QUIET_TO

    def after_quiet(self, now: datetime) -> datetime:
        """`now`, or 07:00 if people sleep."""
        if not self.is_quiet(now):
            return now
        local = now.astimezone(self.zone)
        morning = local.date() + timedelta(days=1 if local.time() >= QUIET_FROM else 0)
        return datetime.combine(morning, QUIET_TO, self.zone)
