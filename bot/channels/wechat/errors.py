"""What WeChat's refusals mean for a message that was on its way; WeChat says them with HTTP 200."""

from datetime import datetime, timedelta

from bot.channels import Absent, Throttled, Undelivered, Unreachable

AGAIN = timedelta(seconds=5)
A_MINUTE = timedelta(minutes=1)
AFTER_A_HUMAN_ACTED = timedelta(minutes=5)

# WeChat counts its days in China's time.
_CHINA = timedelta(hours=8)
_A_DAY = timedelta(days=1)

# The token is over, or somebody fetched another one.
STALE_TOKEN = frozenset({40001, 40014, 41001, 42001})
# Uploaded pictures live for three days.
STALE_MEDIA = 40007
# There is no menu to be shown.
NO_MENU = 46003
# A message of the same `clientmsgid` was sent already.
SENT_BEFORE = 45065
# A tag of that name is there.
TAG_IS_THERE = 45157

# The person's window is closed or used up, or they took no notice of this kind: it waits for their next contact.
_NOT_NOW = {45015: "outside the reply window", 45047: "the reply window is used up", 43101: "not subscribed to this"}
_GONE = {43004: "does not follow the account", 40003: "no such follower", 43019: "is on the account's block list"}
_USED_UP_TODAY = {45009: "today's quota is used up", 45028: "the quota of mass messages is used up"}
_TOO_FAST = {45011: "too many calls in a minute"}
# Nothing goes out until somebody changes a setting, here or in WeChat's console.
_MISCONFIGURED = {
    40001: "the token was refused",
    40013: "there is no such app id",
    40014: "the token was refused",
    40125: "the app secret is wrong",
    40164: "this server's address is not on the account's IP allow-list",
    40243: "the app secret is frozen",
    41001: "the token was refused",
    41002: "the app id is missing",
    41004: "the app secret is missing",
    42001: "the token is over",
    48001: "the account has no permission for this",
    48004: "this interface is blocked for the account",
    50001: "the account has no permission for this",
    50002: "the account is frozen",
    89503: "the account's administrator must confirm this server's address",
    89506: "the account's administrator refused this server's address",
    89507: "the account's administrator refused this server's address",
}
# It would be refused again.
_NEVER = {
    40007: "the picture is not there any more",
    40037: "there is no such template",
    40054: "a menu's address is wrong",
    43116: "the template is out of use",
    44004: "the text is empty",
    45002: "the text is too long",
    45003: "the title is too long",
    45004: "the description is too long",
    45008: "too many articles",
    45064: "not allowed to link there",
    45056: "there are too many tags",
    TAG_IS_THERE: "a tag of that name is there",
    47001: "the JSON cannot be read",
    47003: "a field of the template is too long or of a wrong kind",
    87014: "WeChat refuses the content",
}
MEANINGS = _NOT_NOW | _GONE | _USED_UP_TODAY | _TOO_FAST | _MISCONFIGURED | _NEVER | {-1: "WeChat is busy"}


class ApiError(Exception):
    """A call did not do what it was to do. `code` is WeChat's errcode, 0 where WeChat gave none.

    `number` is that of the message which was sent before, where that is why.
    """

    def __init__(self, code: int, reason: str = "", number: str = "") -> None:
        self.code = code
        self.number = number
        super().__init__(f"{code} {MEANINGS.get(code, 'refused')}" if code else reason)


class Unclear(ApiError):
    """Nobody knows whether it was done: no answer, a cut connection, or one that cannot be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(0, reason)


def undelivered(error: ApiError, now: datetime) -> Undelivered:
    """The kind of Undelivered that `error` means. What leaves the outcome unknown is tried again."""
    reason, code = str(error), error.code
    if code in _NOT_NOW:
        return Absent(reason)
    if code in _GONE:
        return Unreachable(reason)
    if code in _USED_UP_TODAY:
        return Throttled(reason, retry_in=_until_tomorrow(now))
    if code in _TOO_FAST:
        return Throttled(reason, retry_in=A_MINUTE)
    if code in _MISCONFIGURED:
        return Throttled(reason, retry_in=AFTER_A_HUMAN_ACTED)
    if code in _NEVER:
        return Undelivered(reason)
    return Undelivered(reason, retry_in=AGAIN)


def is_misconfigured(error: ApiError) -> bool:
    """Whether somebody must change a setting before this can work."""
    return error.code in _MISCONFIGURED


def _until_tomorrow(now: datetime) -> timedelta:
    local = now + _CHINA
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + _A_DAY
    return midnight - local + A_MINUTE
