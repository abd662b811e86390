"""The chat page's channel: JSON frames over a WebSocket."""

from bot.channels.web.channel import WebChannel
from bot.channels.web.frames import ERRORS

__all__ = ["ERRORS", "WebChannel"]
