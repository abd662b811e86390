"""Offerings and sessions as files: taken in with the same report as places."""

from bot.services.offering_files.importing import import_offerings, import_sessions
from bot.services.offering_files.samples import load_samples

__all__ = ["import_offerings", "import_sessions", "load_samples"]
