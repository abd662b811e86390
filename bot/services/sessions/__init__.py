"""The occasions at which an offering takes place: looked at by riders, made, changed and run by staff."""

from bot.services.authority import NotAllowed
from bot.services.seating.session_rows import NoSuchSession, Session, count_waiting, is_busy, one, upcoming
from bot.services.sessions.changing import (
    BadTimes,
    CodeTaken,
    SeatsTaken,
    cancel,
    close,
    create,
    reopen,
    reschedule,
    set_capacity,
)
from bot.services.sessions.roll import Guest, Roll, of_session, on, today

__all__ = [
    "BadTimes",
    "CodeTaken",
    "Guest",
    "NoSuchSession",
    "NotAllowed",
    "Roll",
    "SeatsTaken",
    "Session",
    "cancel",
    "close",
    "count_waiting",
    "create",
    "is_busy",
    "of_session",
    "on",
    "one",
    "reopen",
    "reschedule",
    "set_capacity",
    "today",
    "upcoming",
]
