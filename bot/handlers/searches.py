"""A list's question, small enough to ride in every button of the list: what was wanted, which page, from where."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import cache, lru_cache

from bot.conversation import Turn
from bot.errors import Problem
from bot.i18n import _
from bot.seals import BrokenSeal, Seals
from bot.services.directory import Directory, Listing
from bot.services.lexicon import lexicon
from bot.services.vocabulary import AMENITIES, KINDS
from bot.services.wishes import Wish

MOST_PAGES = 20
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class OldButton(Problem):
    text = _("That button no longer works. Please send your location again.")


class Gone(Problem):
    text = _("That place is no longer on the list.")


@dataclass(frozen=True, slots=True)
class Search:
    """What a list answers. `elsewhere`: its origin is a place that the rider named, not where they are."""

    wish: Wish
    lat: float
    lng: float
    page: int = 0
    elsewhere: bool = False


def position(turn: Turn, lat: float, lng: float) -> str:
    """A position for this person's buttons; costs some microseconds, so once for a message."""
    return turn.use(Seals).hide(lat, lng, _owner(turn))


def sought(turn: Turn, argument: str) -> Search:
    """The search that a button carries as `wish.page.position`; raises OldButton for anything that is not ours."""
    try:
        packed_wish, page, hidden = argument.split(".")
        lat, lng = turn.use(Seals).seek(hidden, _owner(turn))
        wish, elsewhere = unpacked(packed_wish)
        return Search(wish, lat, lng, min(int(page), MOST_PAGES), elsewhere)
    except (ValueError, BrokenSeal) as error:
        raise OldButton from error


@lru_cache(20_000)
def number(place_id: int) -> str:
    """A place's row number, short; `place` reads it."""
    digits = ""
    while place_id:
        place_id, digit = divmod(place_id, 36)
        digits = _DIGITS[digit] + digits
    return digits


def place(turn: Turn, number: str) -> Listing:
    """The place whose `number` a button carries; raises Gone where it is no longer listed."""
    if not (number.isascii() and number.isalnum() and len(number) <= 12):
        raise OldButton
    listing = turn.use(Directory).by_id(int(number, 36))
    if listing is None:
        raise Gone
    return listing


@lru_cache(4096)
def packed(wish: Wish, elsewhere: bool = False) -> str:
    """`wish` as at most 18 URL-safe characters, without the places and names that it mentions."""
    number, shift = 0, 0
    for value, bits in _parts(wish, elsewhere):
        number |= value << shift
        shift += bits
    raw = number.to_bytes(max((number.bit_length() + 7) // 8, 1), "little")
    return urlsafe_b64encode(raw).decode().rstrip("=")


@lru_cache(4096)
def unpacked(packed: str) -> tuple[Wish, bool]:
    """The wish that `packed` made, and whether its origin is elsewhere; raises ValueError."""
    number = int.from_bytes(urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), "little")
    values = []
    for bits in _WIDTHS:
        values.append(number & ((1 << bits) - 1))
        number >>= bits
    flags, amenities, kinds, voltage, length, brand, minutes = values
    if number or brand > len(_brands()) or minutes > _ALWAYS:
        raise ValueError("not packed by us")
    wish = Wish(
        kinds=_members(kinds, KINDS),
        amenities=_members(amenities, AMENITIES),
        open_now=bool(flags & 1),
        charging=bool(flags & 2),
        hazmat=bool(flags & 4),
        parking=bool(flags & 8),
        voltage=str(voltage) if voltage else "",
        length_m=length / 10 if length else None,
        brand=_brands()[brand - 1] if brand else "",
        at=f"{(minutes - 1) // 60:02}:{(minutes - 1) % 60:02}" if 0 < minutes < _ALWAYS else "",
        always=minutes == _ALWAYS,
    )
    return wish, bool(flags & 16)


# Bits for: flags, amenities, kinds, volts, decimetres, brand, minute of the day. Buttons live as long as a chat shows
# them, so a width may not change; the vocabulary grows only at its end.
_WIDTHS = (5, 40, 20, 7, 9, 8, 11)
_ALWAYS = 24 * 60 + 1  # stands for round the clock where else a minute of the day is


def _parts(wish: Wish, elsewhere: bool) -> tuple[tuple[int, int], ...]:
    flags = wish.open_now | wish.charging << 1 | wish.hazmat << 2 | wish.parking << 3 | elsewhere << 4
    volts = int(wish.voltage) if wish.voltage.isdecimal() else 0
    length = min(round(wish.length_m * 10), 511) if wish.length_m else 0
    brand = _brands().index(wish.brand) + 1 if wish.brand in _brands() else 0
    values = (flags, _mask(wish.amenities, AMENITIES), _mask(wish.kinds, KINDS), min(volts, 127), length, brand)
    return tuple(zip((*values, _ALWAYS if wish.always else _minute(wish.at)), _WIDTHS, strict=True))


@cache
def _brands() -> tuple[str, ...]:
    return tuple(lexicon().brands)


def _mask(chosen: frozenset[str], known: tuple[str, ...]) -> int:
    return sum(1 << i for i, name in enumerate(known) if name in chosen)


def _members(mask: int, known: tuple[str, ...]) -> frozenset[str]:
    if mask >> len(known):
        raise ValueError("not packed by us")
    return frozenset(name for i, name in enumerate(known) if mask >> i & 1)


def _minute(at: str) -> int:
    hour, _colon, minute = at.partition(":")
    return int(hour) * 60 + int(minute) + 1 if hour.isdecimal() and minute.isdecimal() else 0


def _owner(turn: Turn) -> str:
    return f"{turn.person.address.channel}:{turn.person.address.user}"
