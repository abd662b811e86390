"""Everything that a rider can do, one module for each thing."""

from bot.conversation.router import Router
from bot.handlers import (
    bookings,
    broadcasts,
    drafts,
    features,
    finding,
    help_calls,
    linking,
    menu,
    my_bookings,
    nearest,
    notices,
    places,
    policies,
    privacy,
    reports,
    settings,
    staff,
    weather,
    welcome,
)

# The reader of the last one that has one is asked what free text means.
HANDLERS: tuple[Router, ...] = (
    welcome.router,
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
    policies.router,
    notices.router,
    help_calls.router,
    broadcasts.router,
    drafts.router,
    weather.router,
    staff.router,
    features.router,
)
