"""Words as values: made by handlers, worded at the edge in each person's language.

Only `.po` files are kept; they are compiled in memory at start.
"""

import gettext
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

LOCALES = ("zh_CN", "zh_TW", "en")
DEFAULT_LOCALE = "zh_CN"
FOLDER = Path(__file__).parent.parent / "locales"


@dataclass(frozen=True, slots=True)
class Text:
    """A message and the values it mentions, in no language yet. A value may be a Text or an aware datetime."""

    msgid: str
    values: Mapping[str, Any] = field(default_factory=dict)


def _(msgid: str, /, **values: Any) -> Text:
    """Mark `msgid` for translation; the extraction finds it by this name."""
    return Text(msgid, values)


@cache
def catalog(locale: str) -> gettext.GNUTranslations:
    """The compiled words of `locale`, one of LOCALES."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with (FOLDER / locale / "LC_MESSAGES" / "nuanxin.po").open("rb") as file:
        words = read_po(file, locale=locale)
    compiled = io.BytesIO()
    write_mo(compiled, words)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@dataclass(frozen=True, slots=True)
class Voice:
    """How one person is spoken to: a language and a time zone."""

    locale: str
    zone: ZoneInfo
    words: gettext.NullTranslations

    def word(self, text: Text | str) -> str:
        """`text` in this person's language; a plain string is left as it is."""
        if isinstance(text, str):
            return text
        words = self.words.gettext(text.msgid)
        if not text.values:
            return words
        return words.format_map({name: self._value(value) for name, value in text.values.items()})

    def _value(self, value: Any) -> Any:
        if isinstance(value, Text):
            return self.word(value)
        if isinstance(value, datetime):
            return self.time(value)
        return value

    def time(self, at: datetime) -> str:
        """A moment in local time with its weekday, such as `11月23日 周一 19:00`."""
        local = at.astimezone(self.zone)
        weekdays, months = _names(self.locale)
        weekday = weekdays[local.weekday()]
        if self.locale.startswith("zh"):
            return f"{local.month}月{local.day}日 {weekday} {local.hour:02}:{local.minute:02}"
        return f"{weekday} {local.day} {months[local.month]} {local.hour:02}:{local.minute:02}"


@cache
def _names(locale: str) -> tuple[Mapping[int, str], Mapping[int, str]]:
    """The short names of weekdays (from 0, Monday) and months (from 1) in `locale`."""
    from babel import Locale

    language = Locale.parse(locale)
    return language.days["format"]["abbreviated"], language.months["format"]["abbreviated"]


@cache
def voice(locale: str, zone: ZoneInfo) -> Voice:
    """The voice of `locale`; an unknown one speaks the default."""
    known = locale if locale in LOCALES else DEFAULT_LOCALE
    return Voice(known, zone, catalog(known))


def spoken(hint: str) -> str:
    """The locale that fits a platform's language tag (`zh-hant`, `zh-TW`, `en-GB`); Chinese when in doubt."""
    tag = hint.replace("_", "-").lower()
    if tag.startswith("zh"):
        return "zh_TW" if any(part in tag for part in ("hant", "-tw", "-hk", "-mo")) else "zh_CN"
    return "en" if tag.startswith("en") else DEFAULT_LOCALE
