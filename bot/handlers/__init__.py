"""Everything that a rider can do, one module for each thing."""

from bot.conversation.router import Router
from bot.handlers import (
    bookings,
    features,
    finding,
    linking,
    menu,
    my_bookings,
    nearest,
    places,
    privacy,
    reports,
    rights,
    settings,
    staff,
)

# The reader of the last one that has one is asked what free text means.
HANDLERS: tuple[Router, ...] = (
    menu.router,
    nearest.router,
    finding.router,
    places.router,
    reports.router,
    settings.router,
    privacy.router,
    bookings.router,
    my_bookings.router,
    linking.router,
    rights.router,
    staff.router,
    features.router,
)
