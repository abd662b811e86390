"""When something shall happen, as people type it: “now”, “tomorrow 7:30”, “周五 20点半”, “2026-12-01 07:30”."""

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAYS = {
    "今天": 0,
    "今晚": 0,
    "today": 0,
    "tonight": 0,
    "明天": 1,
    "明早": 1,
    "明晚": 1,
    "tomorrow": 1,
    "后天": 2,
    "後天": 2,
}
_WEEKDAYS = ("一", "二", "三", "四", "五", "六", "日")
_ENGLISH = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NOW = frozenset({"now", "at once", "现在", "現在", "马上", "立即", "立刻"})
_CLOCK = re.compile(r"(?P<hour>[0-2]?\d)\s*(?:[:：点點时時]\s*(?P<minute>[0-5]\d|半)?分?)")
_DATE = re.compile(r"(?:(?P<year>20\d\d)[-/.年])?(?P<month>[01]?\d)[-/.月](?P<day>[0-3]?\d)日?")
_WEEKDAY = re.compile(
    r"(?:周|星期|礼拜|禮拜)(?P<chinese>[一二三四五六日天])|\b(?P<english>mon|tue|wed|thu|fri|sat|sun)"
)
_EVENING = ("晚", "下午", "pm", "evening", "tonight")


def read(text: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment that `text` names, in the local time of `zone`, as aware UTC; None where it names none.

    It is `now` for “now”. A time of day that is over today is tomorrow's, a date that is over next year's.
    """
    said = text.strip().casefold().replace("：", ":")
    if said in _NOW:
        return now
    local = now.astimezone(zone)
    try:
        named = _time(said)
        if named is None:
            return None
        day = _day(said, local)
    except ValueError:
        return None
    at = datetime.combine(day or local.date(), named, zone)
    if day is None and at <= local:
        at += timedelta(days=1)
    return at.astimezone(now.tzinfo)


def _time(said: str) -> time | None:
    found = _CLOCK.search(_DATE.sub(" ", said))
    if found is None:
        return None
    hour = int(found["hour"])
    minute = 30 if found["minute"] == "半" else int(found["minute"] or 0)
    if hour < 12 and any(word in said for word in _EVENING):
        hour += 12
    return time(hour, minute)


def _day(said: str, local: datetime) -> date | None:
    today = local.date()
    if found := _DATE.search(said):
        year = int(found["year"] or today.year)
        day = date(year, int(found["month"]), int(found["day"]))
        return day if found["year"] or day >= today else day.replace(year=year + 1)
    for word, days in _DAYS.items():
        if word in said:
            return today + timedelta(days=days)
    if found := _WEEKDAY.search(said):
        chinese = (found["chinese"] or "").replace("天", "日")
        wanted = _WEEKDAYS.index(chinese) if chinese else _ENGLISH.index(found["english"])
        return today + timedelta(days=(wanted - today.weekday()) % 7 or 7)
    return None
