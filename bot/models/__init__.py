"""The tables, one module per noun; importing this package knows them all."""

from bot.models.base import Base
from bot.models.bookings import Booking, BookingChange
from bot.models.consents import Consent, LinkCode, LinkTry, StaffChat
from bot.models.conversations import Choices, Heard, Talk
from bot.models.offerings import Offering, Session, SessionPattern, WeatherAlert
from bot.models.outbox import Outbound, Pause, Step
from bot.models.places import Place, PlaceChange, PlaceReport, SearchCount
from bot.models.riders import Contact, Rider
from bot.models.schedule import Due, Heartbeat, Lease
from bot.models.staff import StaffMember, StaffSession

__all__ = [
    "Base",
    "Booking",
    "BookingChange",
    "Choices",
    "Consent",
    "Contact",
    "Due",
    "Heard",
    "Heartbeat",
    "Lease",
    "LinkCode",
    "LinkTry",
    "Offering",
    "Outbound",
    "Pause",
    "Place",
    "PlaceChange",
    "PlaceReport",
    "Rider",
    "SearchCount",
    "Session",
    "SessionPattern",
    "StaffChat",
    "StaffMember",
    "StaffSession",
    "Step",
    "Talk",
    "WeatherAlert",
]
