"""Opening hours as people say them: the everyday shapes of OpenStreetMap's syntax in words, the rest as written."""

import re

from bot.services.wording import Phrases

_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_DAY = "|".join((*_DAYS, "PH"))
_TIMES = r"\d{1,2}:\d\d-\d{1,2}:\d\d(?:\s*,\s*\d{1,2}:\d\d-\d{1,2}:\d\d)*"
_RULE = re.compile(
    rf"(?P<days>(?:{_DAY})(?:\s*[-,]\s*(?:{_DAY}))*)?\s*(?P<times>{_TIMES}|off|closed|24/7|00:00-24:00)?"
)


def timetable(hours: str, words: Phrases) -> str:
    """`Mo-Fr 08:00-18:00; Sa off` as `Monday to Friday 08:00–18:00; Saturday closed`."""
    said = [_rule(rule.strip(), words) for rule in hours.split(";") if rule.strip()]
    return hours if not said or None in said else "; ".join(rule for rule in said if rule)


def _rule(rule: str, words: Phrases) -> str | None:
    """One rule in words, or None for a shape that is not everyday."""
    if rule in ("24/7", "00:00-24:00"):
        return words.always
    match = _RULE.fullmatch(rule)
    if not match or not match["times"]:
        return None
    days = _days(match["days"], words) if match["days"] else words.daily
    times = match["times"]
    if times in ("off", "closed"):
        return words.day_closed.format(days=days)
    if times in ("24/7", "00:00-24:00"):
        return words.day_always.format(days=days)
    spans = words.separator.join(span.strip().replace("-", "–") for span in times.split(","))
    return words.day_open.format(days=days, times=spans)


def _days(days: str, words: Phrases) -> str:
    parts = []
    for part in re.sub(r"\s", "", days).split(","):
        first, dash, last = part.partition("-")
        if part == "Mo-Su":
            parts.append(words.daily)
        elif dash:
            parts.append(words.days_from_to.format(first=_name(first, words), last=_name(last, words)))
        else:
            parts.append(_name(first, words))
    return words.separator.join(parts)


def _name(day: str, words: Phrases) -> str:
    return words.holidays if day == "PH" else words.weekdays[_DAYS.index(day)]
