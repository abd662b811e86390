"""WeChat: messages of an Official Account in, one answer out in the same request."""

from bot.channels.wechat.callback import PATH
from bot.channels.wechat.channel import PassiveWeChatChannel, WeChatChannel
from bot.channels.wechat.encode import ACCOUNTS, Words
from bot.channels.wechat.memory import Begun, Memory

__all__ = ["ACCOUNTS", "PATH", "Begun", "Memory", "PassiveWeChatChannel", "WeChatChannel", "Words"]
