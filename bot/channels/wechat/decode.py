"""What WeChat delivers, as what a rider said or did; trusts nothing to have its documented type."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Literal, NamedTuple

from bot import geo
from bot.channels.wechat.xml import Malformed
from bot.messages import Address, Incoming, Location

CHANNEL = "wechat"
# Location messages name no datum; they are picked on a Tencent map.
MAP_DATUM = "gcj02"

Opens = Literal["", "message", "tap"]
# Makes what was heard, given what it is: `text`, `pressed`, `location` or `event`.
Say = Callable[..., Incoming]

_NAME = re.compile(r"[A-Za-z0-9_@.-]{1,64}")
_WHOLE = re.compile(r"[0-9]{1,20}")
_SECONDS = re.compile(r"[0-9]{1,10}")
_DECIMAL = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,20})?")
_LONGEST_KEY = 160
_PLACE_SCENE = "p/"
# What a client writes in place of a message that official accounts are not given, mostly stickers.
_UNSUPPORTED = "【收到不支持的消息类型，暂无法显示】"
_SPOKEN_END = "。！？，、.!?, "


class MassReport(NamedTuple):
    """How the mass message `number` ended: whether it `went` out, and whether `everybody` meant got it."""

    number: str
    went: bool
    everybody: bool


class Letter(NamedTuple):
    """One message or event, as WeChat delivers it up to three times.

    A reply goes from `account` to `user`. `heard` is None where nothing but a confirmation is wanted; with
    `is_silent` it says something, but WeChat takes no answer. `opens` is the window for pushing that it opens:
    after a `message` or after a `tap` on a menu, a follow, a scan. `is_picked`: a place chosen by a menu's button,
    which WeChat may deliver once more as a location message. `report` is what WeChat itself tells. `created` is
    WeChat's own time of it, in seconds since 1970 if it is what it should be.
    """

    account: str
    user: str
    key: str
    heard: Incoming | None
    opens: Opens = ""
    is_silent: bool = False
    is_picked: bool = False
    report: MassReport | None = None
    created: str = ""

    def said_at(self, now: datetime) -> datetime:
        """When it was said: the same for each delivery, unless WeChat's clock cannot be believed."""
        if not _SECONDS.fullmatch(self.created):
            return now
        return min(now, datetime.fromtimestamp(int(self.created), UTC))


def decode(fields: Mapping[str, str], now: datetime, event_datum: str = "wgs84") -> Letter:
    """What `fields` say, heard at `now`; `event_datum` is that of LOCATION events. Raises Malformed and nothing else.

    An `Incoming` has the event `photo`, `stopped` or `media` (what else is no text and no place).
    """
    user, account = _name(fields, "FromUserName"), _name(fields, "ToUserName")
    kind = fields.get("MsgType", "").lower()
    if not kind:
        raise Malformed("MsgType")
    if kind == "event":
        key = _event_key(fields, user)
        say: Say = partial(Incoming, Address(CHANNEL, user), key, now)
        return _event(fields, partial(Letter, account, user, key, created=fields["CreateTime"]), say, event_datum)
    key, created = f"{user}:{_whole(fields, 'MsgId')}", fields.get("CreateTime", "")
    say = partial(Incoming, Address(CHANNEL, user), key, now)
    if kind == "text" and (chosen := fields.get("bizmsgmenuid")):
        return Letter(account, user, key, _pressed(say, chosen), "tap", created=created)
    return Letter(account, user, key, _message(fields, kind, say), "message", created=created)


def _message(fields: Mapping[str, str], kind: str, say: Say) -> Incoming:
    match kind:
        case "text" if (text := _need(fields, "Content")) != _UNSUPPORTED:
            return say(text=text)
        case "voice" if spoken := fields.get("Recognition", "").strip(_SPOKEN_END):
            return say(text=spoken)
        case "location":
            return say(location=_location(fields, "Location_X", "Location_Y", MAP_DATUM))
        case "image":
            return say(event="photo")
    return say(event="media")


def _event(fields: Mapping[str, str], letter: Callable[..., Letter], say: Say, event_datum: str) -> Letter:
    chosen = fields.get("EventKey", "")
    match fields.get("Event", "").lower():
        case "subscribe":
            scene = chosen.removeprefix("qrscene_")
            return letter(say(text=_scanned(scene) or "/start"), opens="tap")
        case "unsubscribe":
            return letter(say(event="stopped"))
        case "scan":
            return letter(say(text=_scanned(chosen) or "/menu"), opens="tap")
        case "click" if chosen:
            return letter(_pressed(say, chosen), opens="tap")
        case "location_select":
            place = _location(fields, "SendLocationInfo.Location_X", "SendLocationInfo.Location_Y", MAP_DATUM)
            return letter(say(location=place), opens="tap", is_picked=True)
        case "location":
            place = _location(fields, "Latitude", "Longitude", event_datum)
            return letter(say(location=place), is_silent=True)
        case "masssendjobfinish":
            return letter(None, report=_mass_report(fields))
    return letter(None)


def _mass_report(fields: Mapping[str, str]) -> MassReport:
    """Some of those who were meant may have been left out by the platform, or may have refused; it says how many."""
    went = fields.get("Status", "").replace(" ", "").lower() == "sendsuccess"
    meant, sent = fields.get("TotalCount", ""), fields.get("SentCount", "")
    return MassReport(_whole(fields, "MsgID"), went, went and meant == sent)


def _pressed(say: Say, chosen: str) -> Incoming:
    """What a key of a menu means: words and digits are said, anything else is a button's token."""
    if chosen.startswith("/") or not chosen.isascii() or chosen.isdecimal():
        return say(text=chosen)
    return say(pressed=chosen)


def _scanned(scene: str) -> str:
    """The words for a scanned code: `p/CODE` is the place of a poster, nothing else means anything yet."""
    return f"/p {scene.removeprefix(_PLACE_SCENE)}" if scene.startswith(_PLACE_SCENE) else ""


def _event_key(fields: Mapping[str, str], user: str) -> str:
    """Events have no number; two taps can share a second. What is too long for a key is hashed."""
    rest = f"{_whole(fields, 'CreateTime')}:{fields.get('Event', '')}:{fields.get('EventKey', '')}"
    if len(rest.encode()) > _LONGEST_KEY or not rest.isprintable():
        rest = hashlib.sha256(rest.encode()).hexdigest()
    return f"{user}:{rest}"


def _location(fields: Mapping[str, str], lat_name: str, lng_name: str, datum: str) -> Location:
    """In `Location_X`, of all names, is the latitude."""
    lat, lng = _degrees(fields, lat_name), _degrees(fields, lng_name)
    if not geo.in_range(lat, lng):
        raise Malformed(lat_name)
    return Location(*geo.convert(lat, lng, datum, "wgs84"))


def _degrees(fields: Mapping[str, str], name: str) -> float:
    value = _need(fields, name).strip()
    if not _DECIMAL.fullmatch(value):
        raise Malformed(name)
    return float(value)


def _whole(fields: Mapping[str, str], name: str) -> str:
    value = _need(fields, name).strip()
    if not _WHOLE.fullmatch(value):
        raise Malformed(name)
    return value


def _name(fields: Mapping[str, str], name: str) -> str:
    value = _need(fields, name)
    if not _NAME.fullmatch(value):
        raise Malformed(name)
    return value


def _need(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise Malformed(name)
    return value
