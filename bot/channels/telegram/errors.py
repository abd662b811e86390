"""What Telegram's refusals mean for a message that was on its way."""

import re
import traceback
from datetime import timedelta

from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, TelegramError

from bot.channels import Throttled, Undelivered, Unreachable

AGAIN = timedelta(seconds=5)
AFTER_A_HUMAN_ACTED = timedelta(minutes=5)

_GONE = ("chat not found", "user not found", "user is deactivated", "peer_id_invalid", "bot was blocked")
_RETRY_AFTER = re.compile(r"retry after (\d{1,9})")
_LONGEST_REASON = 120


class TooManyRequests(TelegramError):
    """A 429. `wait` is what Telegram asked for."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"too many requests, wait {wait.total_seconds():.0f} s")
        self.wait = wait


def too_many_requests(answer: object) -> TooManyRequests:
    """The 429 whose body, parsed, is `answer`; a body that names no time means a short wait."""
    parameters = answer.get("parameters") if isinstance(answer, dict) else None
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if type(wait) is not int:
        description = answer.get("description") if isinstance(answer, dict) else None
        found = _RETRY_AFTER.search(description) if isinstance(description, str) else None
        wait = int(found[1]) if found else None
    if wait is None or not 0 < wait < 10**9:
        return TooManyRequests(AGAIN)
    return TooManyRequests(timedelta(seconds=wait))


def undelivered(error: TelegramError) -> Undelivered:
    """The kind of Undelivered that `error` means.

    What leaves the outcome unknown (5xx, a timeout, a cut connection, an unreadable answer) is tried again.
    """
    reason = str(error)[:_LONGEST_REASON]
    match error:
        case TooManyRequests():
            return Throttled(reason, retry_in=error.wait)
        case Forbidden():
            return Unreachable(reason)
        case BadRequest() if any(words in reason.lower() for words in _GONE):
            return Unreachable(reason)
        case BadRequest() | ChatMigrated():
            return Undelivered(reason)
        case InvalidToken():
            return Undelivered("the bot's token was refused", retry_in=AFTER_A_HUMAN_ACTED)
    return Undelivered(reason, retry_in=AGAIN)


def trace(error: BaseException) -> str:
    """Where `error` came from, for the log: lines of code only, since its words may quote people."""
    return "".join(traceback.format_tb(error.__traceback__))
