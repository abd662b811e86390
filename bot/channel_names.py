"""What people call the channels; nothing is decided by it."""

from bot.i18n import Text, _

CHANNEL_NAMES: dict[str, Text | str] = {"telegram": "Telegram", "web": _("Web page"), "wechat": _("WeChat")}


def called(channel: str) -> Text | str:
    """The channel as staff read it; one without a name is called as it is."""
    return CHANNEL_NAMES.get(channel, channel)
