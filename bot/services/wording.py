"""How a place is put into words: distance, direction, opening, freshness; looked up once for each language."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo

from bot import i18n
from bot.geo import COMPASS, in_china, in_range, navigation_links
from bot.i18n import Text, _
from bot.services.hours import Opening
from bot.services.vocabulary import AMENITY_NAMES, ENTRY_NAMES, KIND_NAMES

MAP_NAMES: dict[str, Text] = {"amap": _("Amap"), "tencent": _("Tencent Maps"), "baidu": _("Baidu Maps")}

_DIRECTIONS: dict[str, Text] = {
    "N": _("to the north"),
    "NE": _("to the north-east"),
    "E": _("to the east"),
    "SE": _("to the south-east"),
    "S": _("to the south"),
    "SW": _("to the south-west"),
    "W": _("to the west"),
    "NW": _("to the north-west"),
}
_WEEKDAYS = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))
_MONTHS = (
    *(_("Jan"), _("Feb"), _("Mar"), _("Apr"), _("May"), _("Jun")),
    *(_("Jul"), _("Aug"), _("Sep"), _("Oct"), _("Nov"), _("Dec")),
)
_A_DAY = timedelta(days=1)
_MOST_UNTILS = 1_000


class Part(Enum):
    """Where a point lies, as far as an answer must know."""

    NOWHERE = "nowhere"
    ABROAD = "abroad"
    CHINA = "china"


def part_of_the_world(lat: float, lng: float) -> Part:
    """Roughly where a WGS-84 point lies; NOWHERE for what are no degrees."""
    if not in_range(lat, lng):
        return Part.NOWHERE
    return Part.CHINA if in_china(lat, lng) else Part.ABROAD


class Mapped(Protocol):
    """What can be shown on a map, if it has been surveyed; WGS-84."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def lat(self) -> float | None: ...
    @property
    def lng(self) -> float | None: ...


def navigation(place: Mapped) -> list[tuple[Text, str]]:
    """Names of map programs with the links that lead to `place`; none where nobody has surveyed it."""
    if place.lat is None or place.lng is None:
        return []
    links = navigation_links(place.lat, place.lng, place.name, place.address)
    return [(MAP_NAMES[program], url) for program, url in links.items()]


class Phrases:
    """Words for places in one language; lists are made of thousands of them a second."""

    def __init__(self, voice: i18n.Voice) -> None:
        word = voice.word
        self.locale = voice.locale
        self.zone = voice.zone
        self.separator = ", " if voice.locale == "en" else "、"
        self.kinds = {kind: word(name) for kind, name in KIND_NAMES.items()}
        self.amenities = {amenity: word(name) for amenity, name in AMENITY_NAMES.items()}
        self.entries = {entry: word(name) for entry, name in ENTRY_NAMES.items()}
        self.demo = word(_("sample"))
        self.doubtful = word(_("to be checked"))
        metres = word(_("about {n} m in a straight line"))
        self._kilometres = word(_("about {n} km in a straight line"))
        self._tens = [metres.format(n=max(tens, 1) * 10) for tens in range(100)]
        self._hundreds = [self._kilometres.format(n=f"{hundreds / 10:.1f}") for hundreds in range(101)]
        self._directions = [word(_DIRECTIONS[point]) for point in COMPASS]
        self.weekdays = [word(day) for day in _WEEKDAYS]
        self.holidays = word(_("public holidays"))
        self.daily = word(_("every day"))
        self.always = word(_("round the clock"))
        self.day_open = word(_("{days} {times}"))
        self.day_always = word(_("{days} round the clock"))
        self.day_closed = word(_("{days} closed"))
        self.days_from_to = word(_("{first} to {last}"))
        self._until = word(_("open until {time}"))
        self._untils: dict[datetime, str] = {}
        self._open = word(_("open"))
        self._opens = word(_("opens {time}"))
        self._opens_tomorrow = word(_("opens tomorrow {time}"))
        self._opens_on = word(_("opens {day} {time}"))
        self._closed = word(_("closed"))
        self._unknown = word(_("hours unknown, ask first"))
        self._unknown_call = word(_("hours unknown, call {phone}"))
        self._day = word(_("{day} {month}"))
        self._months = [word(month) for month in _MONTHS]
        self._today = word(_("checked today"))
        self._yesterday = word(_("checked yesterday"))
        self._days = word(_("checked {n} days ago"))
        self._unchecked = word(_("not checked yet"))

    def distance(self, metres: float) -> str:
        """Metres as nobody would measure them more exactly: `about 350 m in a straight line`."""
        if metres < 995:
            return self._tens[round(metres / 10)]
        if metres < 9_950:
            return self._hundreds[round(metres / 100)]
        return self._kilometres.format(n=round(metres / 1000))

    def direction(self, bearing: float) -> str:
        """One of eight directions for degrees from north."""
        return self._directions[round(bearing / 45) % 8]

    def opening(self, opening: Opening, at: datetime, phone: str = "") -> str:
        """`open until 22:00`, `opens 14:30`; where hours are unknown, whom to ask. `at` is the asked moment."""
        match opening.state:
            case "open":
                return self._open_until(opening.until, at)
            case "closed":
                return self._opens_again(opening.until, at)
        return self._unknown_call.format(phone=phone) if phone else self._unknown

    def freshness(self, days: int | None) -> str:
        """How long ago somebody made sure of a place; None means never."""
        if days is None:
            return self._unchecked
        if days <= 0:
            return self._today
        return self._yesterday if days == 1 else self._days.format(n=days)

    def listed(self, amenities: Iterable[str]) -> str:
        """Amenities by their names, in the order given."""
        names = self.amenities
        return self.separator.join(names[amenity] for amenity in amenities if amenity in names)

    def _open_until(self, closes_at: datetime | None, at: datetime) -> str:
        if closes_at is None or closes_at - at > _A_DAY:
            return self._open
        # Thousands of places close at the same moments.
        text = self._untils.get(closes_at)
        if text is None:
            if len(self._untils) >= _MOST_UNTILS:
                self._untils.clear()
            local = closes_at.astimezone(self.zone)
            text = self._untils[closes_at] = self._until.format(time=f"{local.hour:02}:{local.minute:02}")
        return text

    def _opens_again(self, opens_at: datetime | None, at: datetime) -> str:
        if opens_at is None:
            return self._closed
        local = opens_at.astimezone(self.zone)
        time = f"{local.hour:02}:{local.minute:02}"
        days = (local.date() - at.astimezone(self.zone).date()).days
        if days <= 0:
            return self._opens.format(time=time)
        if days == 1:
            return self._opens_tomorrow.format(time=time)
        day = self.weekdays[local.weekday()] if days < 7 else self.day(local.date())
        return self._opens_on.format(day=day, time=time)

    def day(self, day: date) -> str:
        """A date without its year: `23 Nov`."""
        return self.month_day(day.month, day.day)

    def month_day(self, month: int, day: int) -> str:
        return self._day.format(month=self._months[month - 1], day=day)


@cache
def phrases(locale: str, zone: ZoneInfo) -> Phrases:
    """The phrases of `locale`, one of LOCALES, with times in `zone`."""
    return Phrases(i18n.voice(locale, zone))
