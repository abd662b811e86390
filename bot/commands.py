"""What the commands do, each with the parts of the program that it needs."""

import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot import i18n
from bot.app import Program
from bot.clock import Clock
from bot.database import DATABASE_TROUBLE, Database, is_migrated, migrate
from bot.seals import Seals
from bot.services import linking, offering_files, place_files
from bot.services import staff as accounts
from bot.services.city import load_city
from bot.services.desk import Desk
from bot.services.place_files.importing import ImportReport
from bot.settings import Misconfigured, Settings


async def prepare(settings: Settings, *, talks: bool, works: bool) -> Program:
    """The program, with an embedded database brought up to date, samples loaded, a first login made."""
    secret = secret_of(settings)
    if settings.is_embedded:
        await open_embedded(settings)
    program = Program(settings, secret, talks=talks, works=works)
    is_set_up = await _set_up(program)

    async def set_up() -> None:
        nonlocal is_set_up
        is_set_up = is_set_up or await _set_up(program)

    if not is_set_up:
        # The database is away or not migrated yet: as soon as it is there, so is what a first start makes.
        program.loops.start("setup", set_up, every=2.0)
    return program


async def _set_up(program: Program) -> bool:
    """Load the samples, make the first login; returns whether the database was there for it."""
    with suppress(*DATABASE_TROUBLE):
        if await is_migrated(program.database):
            await _first_start(program)
            return True
    return False


async def _first_start(program: Program) -> None:
    settings, now = program.settings, program.clock()
    if settings.demo:
        await place_files.load_samples(program.database, settings.city_folder, now)
        await offering_files.load_samples(program.database, settings.city_folder, now)
    password = settings.staff_password or accounts.one_time_password()
    async with program.database.writing() as db:
        made = await accounts.first_admin(db, password, now)
    if made:
        shown = "STAFF_PASSWORD" if settings.staff_password else password
        print(f"Staff login (shown once): admin  {shown}", flush=True)
    await program.refresh()


def greet(settings: Settings, port: int) -> None:
    """Print where riders and staff find the program."""
    if port:
        address = settings.public_url or f"http://{settings.host}:{port}"
        print(f"Riders' chat:  {address}/\nStaff console: {address}/admin/", flush=True)


async def open_embedded(settings: Settings) -> None:
    """Make the embedded database and bring it to the newest schema."""
    database = Database(settings.database_url)
    if database.url.database and database.url.database != ":memory:":
        Path(database.url.database).parent.mkdir(parents=True, exist_ok=True)
    await migrate(database)
    await database.close()


def secret_of(settings: Settings) -> str:
    """The secret key; for the embedded database it is made once and kept beside it."""
    if settings.secret_key:
        return settings.secret_key
    database = Database(settings.database_url).url.database or "var/nuanxin.db"
    path = Path(database).parent / "secret.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), open(path, "x", opener=_private) as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text().strip()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


async def migrate_database(settings: Settings) -> None:
    """Bring the database to the newest schema."""
    if settings.is_embedded:
        await open_embedded(settings)
        return
    database = Database(settings.database_url)
    await migrate(database)
    await database.close()


async def _ready_database(settings: Settings) -> Database:
    if settings.is_embedded:
        await open_embedded(settings)
    database = Database(settings.database_url)
    if not await is_migrated(database):
        raise Misconfigured("the database is not at this release's schema: run `nuanxin migrate`")
    return database


async def import_places(settings: Settings, file: Path, *, dry_run: bool, skip_bad: bool) -> dict[str, Any]:
    """Take in a file of places, with a progress bar and the rejected rows on standard error."""
    from rich.console import Console
    from rich.progress import Progress

    database = await _ready_database(settings)
    city = load_city(settings.city_folder)
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("places", total=1.0)
        report = await place_files.import_places(
            database,
            file,
            dry_run=dry_run,
            skip_bad=skip_bad,
            now=Clock(settings.clock)(),
            counties=city.counties,
            progress=lambda share: bar.update(task, completed=share),
        )
    await database.close()
    return _told(report, city.zone)


async def import_offerings(settings: Settings, file: Path, *, dry_run: bool, skip_bad: bool) -> dict[str, Any]:
    """Take in a file of what can be booked."""
    database = await _ready_database(settings)
    city = load_city(settings.city_folder)
    report = await offering_files.import_offerings(
        database, file, dry_run=dry_run, skip_bad=skip_bad, now=Clock(settings.clock)(), counties=city.counties
    )
    await database.close()
    return _told(report, city.zone)


async def import_sessions(settings: Settings, file: Path, *, dry_run: bool, skip_bad: bool) -> dict[str, Any]:
    """Take in a file of dates."""
    database = await _ready_database(settings)
    desk = _desk(settings)
    report = await offering_files.import_sessions(
        database, file, dry_run=dry_run, skip_bad=skip_bad, now=Clock(settings.clock)(), desk=desk
    )
    await database.close()
    return _told(report, desk.zone)


def _told(report: ImportReport, zone: ZoneInfo) -> dict[str, Any]:
    """The report as JSON, after the rejected rows were named on standard error."""
    from rich.console import Console

    plain = report.as_json(i18n.voice(i18n.DEFAULT_LOCALE, zone))
    console = Console(stderr=True)
    for rejected in plain["rejected"]:
        console.print(f"row {rejected['row']}, {rejected['column']}: {rejected['reason']}", markup=False)
    return plain


def _desk(settings: Settings) -> Desk:
    zone = load_city(settings.city_folder).zone
    return Desk(Seals(secret_of(settings)), zone, settings.demo, settings.public_url)


async def export_places(settings: Settings, file: Path) -> None:
    database = await _ready_database(settings)
    await place_files.export_places(database, file)
    await database.close()


async def add_staff(settings: Settings, login: str, role: str, counties: Sequence[str]) -> str:
    """Make an account; returns its one-time password. Raises Problem."""
    database = await _ready_database(settings)
    password = accounts.one_time_password()
    async with database.writing() as db:
        await accounts.add(
            db,
            login,
            role,
            counties=list(counties),
            password_hash=await accounts.hashed(password),
            now=Clock(settings.clock)(),
        )
    await database.close()
    return password


async def link_staff(settings: Settings, login: str) -> str:
    """A code by which a chat becomes this account's. Raises Problem."""
    database = await _ready_database(settings)
    async with database.writing() as db:
        code = await linking.issue_for_staff(db, login, now=Clock(settings.clock)(), desk=_desk(settings))
    await database.close()
    return code


async def check(settings: Settings) -> bool:
    """Say what is configured and reachable; returns whether everything would work."""
    good = True

    def say(name: str, fine: bool, what: str) -> None:
        nonlocal good
        good = good and fine
        print(f"{'ok ' if fine else 'BAD'}  {name}: {what}")

    database = Database(settings.database_url)
    try:
        migrated = await is_migrated(database)
        say("DATABASE_URL", migrated, "reachable" if migrated else "reachable, but run `nuanxin migrate`")
    except DATABASE_TROUBLE as error:
        say("DATABASE_URL", False, f"not reachable ({type(error).__name__})")
    await database.close()
    say("CITY", True, load_city(settings.city_folder).name)
    say("SECRET_KEY", True, "set" if settings.secret_key else "made for the embedded database")
    say("PUBLIC_URL", True, settings.public_url or "none: links lead to this machine only")
    say("DEMO", True, "sample data is shown, marked as such" if settings.demo else "no sample data")
    if settings.telegram_token:
        say("TELEGRAM_TOKEN", *await _telegram_answers(settings))
        say("TELEGRAM_MODE", True, "webhook" if settings.telegram_webhook else "long polling")
    else:
        say("TELEGRAM_TOKEN", True, "none: Telegram is off")
    return good


async def _telegram_answers(settings: Settings) -> tuple[bool, str]:
    import aiohttp

    address = f"{settings.telegram_api_url}/bot{settings.telegram_token}/getMe"
    try:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(address) as answer:
            return answer.status == 200, "accepted" if answer.status == 200 else f"refused ({answer.status})"
    except (aiohttp.ClientError, TimeoutError) as error:
        return False, f"the server does not answer ({type(error).__name__})"


async def chat(settings: Settings, locale: str) -> None:
    """Talk with the bot in the terminal until the end of input."""
    from bot.channels.terminal import Terminal

    program = await prepare(settings, talks=False, works=False)
    terminal = Terminal(program.clock, locale)
    program.channels[terminal.name] = terminal
    await terminal.listen(program.hear_on(terminal), sys.stdin.readline, sys.stdout.write)
    await program.stop()
