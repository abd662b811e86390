"""The tables, one module per noun; importing this package knows them all."""

from bot.models.audit import AuditEntry
from bot.models.base import Base
from bot.models.bookings import Booking, BookingChange
from bot.models.consents import Consent, LinkCode, LinkTry, StaffChat
from bot.models.conversations import Choices, Heard, ReplyWindow, Talk
from bot.models.exchanges import AccessToken, Exchange
from bot.models.notices import (
    Broadcast,
    HelpCall,
    MassSend,
    MutedTopic,
    Notice,
    NoticeResponse,
    NoticeWish,
    Schedule,
    Season,
    WeatherWarning,
)
from bot.models.offerings import Offering, Session, SessionPattern, WeatherAlert
from bot.models.outbox import Outbound, Pause, Step
from bot.models.places import Place, PlaceChange, PlacePicture, PlaceReport, SearchCount
from bot.models.riders import Contact, Rider
from bot.models.schedule import Due, Heartbeat, Lease
from bot.models.staff import StaffFile, StaffMember, StaffReset, StaffSession

__all__ = [
    "AccessToken",
    "AuditEntry",
    "Base",
    "Booking",
    "BookingChange",
    "Broadcast",
    "Choices",
    "Consent",
    "Contact",
    "Due",
    "Exchange",
    "Heard",
    "Heartbeat",
    "HelpCall",
    "Lease",
    "LinkCode",
    "LinkTry",
    "MassSend",
    "MutedTopic",
    "Notice",
    "NoticeResponse",
    "NoticeWish",
    "Offering",
    "Outbound",
    "Pause",
    "Place",
    "PlaceChange",
    "PlacePicture",
    "PlaceReport",
    "ReplyWindow",
    "Rider",
    "Schedule",
    "SearchCount",
    "Season",
    "Session",
    "SessionPattern",
    "StaffChat",
    "StaffFile",
    "StaffMember",
    "StaffReset",
    "StaffSession",
    "Step",
    "Talk",
    "WeatherAlert",
    "WeatherWarning",
]
