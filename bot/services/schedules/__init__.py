"""Schedules: when a notice is told again, by whom it was planned, and the broadcasts that come of it."""

from bot.services.schedules.firing import tick

__all__ = ["tick"]
