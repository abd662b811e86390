"""What riders and the bot say to each other, free of any channel's vocabulary."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple


class Address(NamedTuple):
    """Where one person can be reached: a channel's name and its id for that person."""

    channel: str
    user: str


class Location(NamedTuple):
    """A point on the earth, WGS-84, degrees. Channels convert before they make one."""

    lat: float
    lng: float


# Two numbers of degrees with a point in each, as maps give them: 35.02,110.99 · 北纬35.02 东经110.99 · 110.99E 35.02N.
_TYPED = re.compile(
    r"\s*(?:北纬|纬度|东经|经度|[NE@])?[:：]?\s*(-?\d{1,3}\.\d{1,15})\s*[°度]?\s*[NE]?"
    r"\s*[,，;；、\s]\s*"
    r"(?:东经|经度|北纬|纬度|[NE])?[:：]?\s*(-?\d{1,3}\.\d{1,15})\s*[°度]?\s*[NE]?\s*",
    re.ASCII | re.IGNORECASE,
)


def typed_location(text: str) -> Location | None:
    """The location that somebody typed in degrees and nothing else, taken as WGS-84; it may be nowhere on the earth.

    Latitude comes first unless that is impossible: some maps give longitude first.
    """
    if not (match := _TYPED.fullmatch(text)):
        return None
    first, second = float(match[1]), float(match[2])
    return Location(first, second) if abs(first) <= 90 else Location(second, first)


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture that somebody sent: its `file` where that is known, else the `name` by which its channel fetches it.

    `is_bare`: the file was drawn anew, so that it holds its pixels and nothing of where they were taken.
    """

    name: str = ""
    file: bytes = b""
    is_bare: bool = False


class Incoming(NamedTuple):
    """One thing a rider said or did.

    `key` is the channel's own id for it, so hearing it twice changes nothing. `at` is aware UTC.
    `locale` is what the platform says of the person's language (`zh-hans`, `en`), a hint for first contact.
    `network` is a keyed hash of the network address where the channel sees one; many people may share it.
    `event` is `photo`, `sticker`, `stopped`, `resumed` or empty; a `photo` that can be had comes with it.
    """

    sender: Address
    key: str
    at: datetime
    text: str = ""
    pressed: str = ""
    location: Location | None = None
    locale: str = ""
    event: str = ""
    network: str = ""
    photo: Photo | None = None


class Button(NamedTuple):
    """A choice: exactly one of `press` (a token of at most 64 bytes), `url` or `asks_location`."""

    label: str
    press: str = ""
    url: str = ""
    asks_location: bool = False


class Place(NamedTuple):
    """A pin that goes with a message. `lat`, `lng` are WGS-84; `open` is `yes`, `no` or `unknown`."""

    code: str
    name: str
    lat: float
    lng: float
    address: str = ""
    distance_m: int | None = None
    open: str = "unknown"


class Outgoing(NamedTuple):
    """One thing to say: plain text, rows of buttons, and pins.

    A message with `places` is a list of them; with `card` it is the card of its only place, which a channel
    that has venues shows as one beside the text. The first line of a message with places is its title.
    `photo` is a PNG or JPEG that goes with the text, base64, or the name of one that is drawn when it is sent.
    `replaces` is the platform's id of an earlier message that this one takes the place of; a channel that cannot
    edit just says it. With `erased` nothing
    is kept of the person any more: a channel that remembers or shows earlier messages forgets them. `choices` are the
    lines of the text that are numbered choices, each with its token, for a channel that can make a line one to tap.
    `form` is what kind of message it is and `facts` what it says by name, for a channel that lets through no words at
    times, but a form that is filled in.
    """

    text: str
    buttons: tuple[tuple[Button, ...], ...] = ()
    places: tuple[Place, ...] = ()
    card: bool = False
    photo: str = ""
    replaces: str = ""
    erased: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    form: str = ""
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class MassQuota:
    """How many messages to many people at once a platform takes in a `day` or a `month`.

    `kept` of them are for what is red.
    """

    most: int
    period: Literal["day", "month"]
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can do, so that nothing else asks which channel it is.

    `buttons` false: choices are numbered and a digit answers the list as it was shown. `keeps_history` true:
    the channel itself shows old messages again. `reply_window` is how long after a person's last word they
    can be reached; None means always. `pushes` false: nothing reaches a person who is not there now. `edits` true:
    a message that was sent can be changed. `mass` is how often many can be written to at once, None for never.
    `forms` are the kinds of message that go out as a filled-in form while nobody may be written to.
    """

    buttons: bool = True
    text_limit: int = 4096
    asks_location: bool = True
    photo: bool = True
    pushes: bool = True
    reply_window: timedelta | None = None
    edits: bool = False
    mass: MassQuota | None = None
    forms: frozenset[str] = frozenset()


def numbered(message: Outgoing, first: int = 1) -> tuple[Outgoing, list[str]]:
    """`message` for a channel without buttons: choices numbered from `first` in its text, links spelled out.

    Returns it with the tokens in the order of their numbers.
    """
    lines, choices = [message.text], list[tuple[str, str]]()
    for button in (button for row in message.buttons for button in row):
        if button.press:
            lines.append(f"{first + len(choices)} {button.label}")
            choices.append((lines[-1], button.press))
        elif button.url:
            lines.append(f"{button.label} {button.url.removeprefix('tel:')}")
    shown = message._replace(text="\n".join(lines), buttons=(), choices=tuple(choices))
    return shown, [token for _line, token in choices]
