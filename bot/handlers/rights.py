"""Unpaid wages and injuries at work: the official ways at once, and never a question about the person."""

from bot.conversation import Router, Turn
from bot.i18n import Text, _
from bot.messages import Button

router = Router()

WAGES = _(
    "Unpaid wages: the official ways, free of charge.\n"
    "· In WeChat, open the mini-program “国务院客户端” and choose “欠薪线索”\n"
    "· Call 12333 (labour) or 12345 (city)\n"
    "Have ready: the employer's name, the place, from when to when, how much, and proof such as orders, chats, "
    "transfers.\n"
    "I never ask for your ID number or bank card, and nobody here can promise an outcome."
)
INJURY = _(
    "Hurt at work? See a doctor first; in danger call 120.\n"
    "· Report it in the platform's app at once\n"
    "· Keep the order, the time and place, photos, medical records and receipts, and names of witnesses\n"
    "· Call 12333: it says which cover applies to you. Whether the new occupational-injury cover has begun in Shanxi "
    "is for the province and 12333 to say."
)
URGENT = _("Is it urgent? The legal line 12348 advises by phone at once, free of charge.")


@router.reads("/wages", "欠薪", "讨薪")
@router.reads_press("wages")
async def wages(turn: Turn) -> None:
    turn.say(WAGES, (call(turn, "12333"), call(turn, "12345")), (_lawyer(turn), _menu(turn)))


@router.reads("/injury", "工伤", "职业伤害")
@router.reads_press("injury")
async def injury(turn: Turn) -> None:
    turn.say(INJURY, (call(turn, "12333"), call(turn, "120")), (_lawyer(turn), _menu(turn)))


def call(turn: Turn, number: str) -> Button:
    """A button that calls `number`; where a channel has no such button, the words name it."""
    return Button(turn.word(_("☎ Call {number}", number=number)), url=f"tel:{number}")


def _lawyer(turn: Turn) -> Button:
    label: Text = _("⚖ Book a lawyer, free")
    return Button(turn.word(label), "book.legal")


def _menu(turn: Turn) -> Button:
    return Button(turn.word(_("☰ Menu")), "menu")
