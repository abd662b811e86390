"""Builds the WeChat channel from the settings: what it remembers, what it may send, its menu and its own words."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web

from bot import i18n
from bot.channels import Read
from bot.channels.wechat import ACCOUNTS, Begun, PassiveWeChatChannel, WeChatChannel, Words, js_sdk, menu, templates
from bot.channels.wechat.api import Api
from bot.channels.wechat.budget import GRANTS, Fetch, Tokens
from bot.channels.wechat.crowds import Crowds
from bot.channels.wechat.decode import CHANNEL, MassReport
from bot.channels.wechat.errors import ApiError, is_misconfigured
from bot.channels.wechat.exchanges import PATIENCE
from bot.channels.wechat.push import Pusher
from bot.conversation.emergency import emergency
from bot.database import DATABASE_TROUBLE, Database
from bot.handlers import nearest
from bot.handlers.commands import MENU
from bot.i18n import LOCALES, _
from bot.messages import Address, Incoming
from bot.seals import Seals
from bot.services.broadcasts import mass
from bot.services.exchanges import Exchanges
from bot.services.windows import Grant, ReplyWindows
from bot.settings import Misconfigured, Settings

log = structlog.get_logger(__name__)

SECONDS_BETWEEN_BEATS = 60.0
SECONDS_UNTIL_A_HUMAN_ACTED = 300.0
# Kinds of account that have a menu, and those that may write to people of their own accord.
WITH_MENU = frozenset({"subscription-verified", "service", "service-verified"})

Beat = Callable[[bool, str], None]


@dataclass(frozen=True)
class OfficialAccount:
    """One account: the channel, WeChat's API where we have its secret, and `crowds` where it may write to many at once.

    `menu` is empty where it may have none, and so are `page_routes`, by which a page inside WeChat gets its signature.
    """

    channel: WeChatChannel
    api: Api | None
    menu: menu.Menu
    page_routes: Sequence[web.AbstractRouteDef]
    crowds: Crowds | None = None

    async def keep(self, beat: Beat, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Make the menu as soon as WeChat can be reached, then beat on; until cancelled."""
        while self.api:
            try:
                await self.introduce()
            except ApiError as error:
                beat(False, str(error))
                await sleep(SECONDS_UNTIL_A_HUMAN_ACTED if is_misconfigured(error) else SECONDS_BETWEEN_BEATS)
            else:
                break
        while True:
            beat(True, "" if self.channel.can.pushes else "answers only")
            await sleep(SECONDS_BETWEEN_BEATS)

    async def introduce(self) -> None:
        """Make the menu, or where there is none, make sure that WeChat hears us; raises ApiError."""
        if self.api is None:
            return
        if self.menu:
            await self.api.create_menu(menu.encode(self.menu))
        else:
            await self.api.check()

    async def close(self) -> None:
        if self.api:
            await self.api.close()


def official_account(
    settings: Settings,
    database: Database,
    tokens: Tokens,
    seals: Seals,
    *,
    now: Callable[[], datetime],
    zone: ZoneInfo,
    read: Read,
    writes: Callable[[Incoming], bool],
    arrived: Callable[[Address], Awaitable[None]],
    patience: float = PATIENCE,
) -> OfficialAccount:
    """The account of `settings`. Raises Misconfigured for forms that cannot be understood.

    `read` answers what only needs reading, `writes` knows what surely needs more, `arrived` is told who is there,
    `patience` is how many seconds a request waits.
    """
    can, words, api = ACCOUNTS[settings.wechat_account], own_words(zone), api_of(settings, tokens)
    # Who is only answered has no window that anybody would look at.
    grants: dict[str, Grant] = {kind: Grant(*grant) for kind, grant in GRANTS.items()} if can.pushes else {}
    forms = _forms(settings)
    push = Pusher(api, ReplyWindows(database, CHANNEL), words, now, forms).push if api and can.pushes else None
    channel = (WeChatChannel if can.pushes else PassiveWeChatChannel)(
        settings.wechat_app_id,
        settings.wechat_token,
        account=settings.wechat_account,
        memory=Exchanges(database, CHANNEL, seals, Begun, grants),
        words=words,
        now=now,
        aes_keys=tuple(key for key in (settings.wechat_aes_key, settings.wechat_aes_key_previous) if key),
        event_datum=settings.wechat_event_datum,
        is_urgent=lambda text: emergency(text) is not None,
        asks_place=_asks_place,
        read=read,
        writes=writes,
        reported=partial(_report, database, now) if can.mass else None,
        arrived=arrived,
        push=push,
        forms=forms,
        patience=patience,
    )
    has_menu = settings.wechat_account in WITH_MENU
    signs = js_sdk.routes(api, settings.public_url, now) if api and settings.public_url else ()
    crowds = Crowds(api, now) if api and can.mass else None
    return OfficialAccount(channel, api, menu_of(zone) if has_menu else (), signs, crowds)


def _forms(settings: Settings) -> dict[str, templates.Form]:
    """The account's forms by the kind of message, none where it may not push; raises Misconfigured."""
    if not ACCOUNTS[settings.wechat_account].pushes:
        return {}
    file = settings.city_folder / templates.FILE
    try:
        return templates.forms(settings.city_folder)
    except ValueError as wrong:
        raise Misconfigured(f"{file}: {wrong}") from None


async def _report(database: Database, now: Callable[[], datetime], report: MassReport) -> bool:
    """Write down how a mass message ended; false where the database is away, so that WeChat says it again."""
    try:
        async with database.writing() as db:
            is_ours = await mass.ended(
                db, CHANNEL, report.number, went=report.went, everybody=report.everybody, now=now()
            )
    except DATABASE_TROUBLE as trouble:
        log.warning("mass report not saved", channel=CHANNEL, error=type(trouble).__name__)
        return False
    log.info("mass message ended", channel=CHANNEL, number=report.number, went=report.went, ours=is_ours)
    return True


def _asks_place(text: str) -> bool:
    """Whether these words are answered by a question for a place."""
    route = nearest.router.said(text)
    return route is not None and route.entry is nearest.nearest


def api_of(settings: Settings, tokens: Tokens) -> Api | None:
    """WeChat's API, None without the account's secret."""
    if not settings.wechat_app_secret:
        return None
    return Api(settings.wechat_app_id, settings.wechat_app_secret, settings.wechat_api_url, tokens)


def own_words(zone: ZoneInfo) -> Mapping[str, Words]:
    """What the channel says of its own accord, by locale."""
    more = _("There is more: reply “more”.")
    working = _("I am on it. Reply 0 in a moment to see the result.")
    failed = _("Something went wrong on our side. Please say it once more.")
    said = {}
    for locale in LOCALES:
        voice = i18n.voice(locale, zone)
        said[locale] = Words(voice.word(more), voice.word(working), voice.word(failed))
    return said


def menu_of(zone: ZoneInfo) -> menu.Menu:
    """The menu, in Chinese: WeChat shows one menu to everybody."""
    voice = i18n.voice(i18n.DEFAULT_LOCALE, zone)
    return [(voice.word(name), [(voice.word(label), says) for label, says in entries]) for name, entries in MENU]


async def looked_at(settings: Settings) -> list[tuple[bool, str]]:
    """What WeChat says of the account that `settings` describe: whether it is good, and what it is."""
    kind, found = settings.wechat_account, list[tuple[bool, str]]()
    api = api_of(settings, _OwnTokens())
    if api is None:
        return found
    try:
        found.append(await _tried(api.check, "accepted"))
        if found[0][0] and kind in WITH_MENU:
            found.append(await _tried(api.see_menu, f"a {kind} account may have a menu"))
        if found[0][0] and ACCOUNTS[kind].pushes:
            found.append(await _tried(api.see_tags, f"a {kind} account may push"))
            found += _looked_at_forms(settings) if found[-1][0] else []
    finally:
        await api.close()
    return found


def _looked_at_forms(settings: Settings) -> list[tuple[bool, str]]:
    try:
        forms = _forms(settings)
    except Misconfigured as wrong:
        return [(False, str(wrong))]
    if not settings.wechat_account.startswith("service") and any(form.way == "template" for form in forms.values()):
        return [(False, f"{templates.FILE}: only a service account has templates, others have subscription notices")]
    return [(True, f"forms for {', '.join(sorted(forms)) or 'nothing'}, while nobody may be written to")]


class _OwnTokens:
    """Tokens of somebody who only looks; WeChat gives all who ask the same one."""

    async def get(self, name: str, fetch: Fetch, *, refused: str = "") -> str:
        return (await fetch())[0]


async def _tried(ask: Callable[[], Awaitable[None]], good: str) -> tuple[bool, str]:
    try:
        await ask()
    except ApiError as error:
        return False, str(error)
    return True, good
