"""The commands."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import structlog
import typer

from bot import i18n
from bot.errors import Problem
from bot.settings import Misconfigured, Settings, load

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Nuanxin.")
importing = typer.Typer(no_args_is_help=True, help="Take in places, offerings or sessions from a file.")
exporting = typer.Typer(no_args_is_help=True, help="Give out places as a file.")
staff = typer.Typer(no_args_is_help=True, help="People who work for the city.")
wechat = typer.Typer(no_args_is_help=True, help="The WeChat account.")
season = typer.Typer(no_args_is_help=True, help="Series of notices that ship with the city.")
app.add_typer(importing, name="import")
app.add_typer(exporting, name="export")
app.add_typer(staff, name="staff")
app.add_typer(season, name="season")
app.add_typer(wechat, name="wechat")

T = TypeVar("T")
# How long the turns in hand may take to finish after the signal to stop.
PATIENCE = 4.5


def main() -> None:
    """Run a command; wrong settings end it with status 2 and one line each, a broken rule with status 1."""
    _configure_log()
    try:
        app()
    except Misconfigured as wrong:
        print(wrong, file=sys.stderr)
        sys.exit(2)
    except Problem as problem:
        print(i18n.voice(i18n.DEFAULT_LOCALE, ZoneInfo("UTC")).word(problem.text), file=sys.stderr)
        sys.exit(1)
    except OSError as trouble:
        print(f"{type(trouble).__name__}: {trouble}", file=sys.stderr)
        sys.exit(2)


@app.command()
def serve() -> None:
    """Everything in one process: web, channels, scheduler, delivery."""
    _serve(talks=True, works=True)


@app.command()
def web() -> None:
    """The web server and the channels; any number of these over one PostgreSQL."""
    _serve(talks=True, works=False)


@app.command()
def worker() -> None:
    """Delivery and schedule; any number of these over one PostgreSQL."""
    _serve(talks=False, works=True)


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from bot import commands

    _run(commands.migrate_database)


@importing.command("places")
def import_places(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave rejected rows out, take the rest.")] = False,
) -> None:
    """CSV, XLSX or GeoJSON; the report is one line of JSON at the end of standard output."""
    from bot import commands

    _report(_run(lambda settings: commands.import_places(settings, file, dry_run=dry_run, skip_bad=skip_bad)), skip_bad)


@importing.command("offerings")
def import_offerings(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave rejected rows out, take the rest.")] = False,
) -> None:
    """What can be booked, CSV or XLSX; the report is one line of JSON at the end of standard output."""
    from bot import commands

    _report(
        _run(lambda settings: commands.import_offerings(settings, file, dry_run=dry_run, skip_bad=skip_bad)), skip_bad
    )


@importing.command("sessions")
def import_sessions(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave rejected rows out, take the rest.")] = False,
) -> None:
    """Dates of what can be booked, CSV or XLSX; who booked one that is moved or cancelled is told."""
    from bot import commands

    _report(
        _run(lambda settings: commands.import_sessions(settings, file, dry_run=dry_run, skip_bad=skip_bad)), skip_bad
    )


@exporting.command("places")
def export_places(file: Path) -> None:
    """CSV, XLSX or GeoJSON, by the file's name."""
    from bot import commands

    _run(lambda settings: commands.export_places(settings, file))


@staff.command("add")
def add_staff(
    login: str,
    role: Annotated[str, typer.Option()],
    county: Annotated[list[str] | None, typer.Option(help="GB/T 2260 code; may be repeated")] = None,
) -> None:
    """Make a staff account and print its one-time password."""
    from bot import commands

    print(_run(lambda settings: commands.add_staff(settings, login, role, county or [])))


@staff.command("link")
def link_staff(login: str) -> None:
    """Print a code, valid 30 minutes; `/staff CODE` in any chat links that chat to this account."""
    from bot import commands

    print(_run(lambda settings: commands.link_staff(settings, login)))


@staff.command("list")
def list_staff() -> None:
    """Print each account: login, role, counties, state."""
    from bot import commands

    for line in _run(commands.list_staff):
        print(line)


@staff.command("disable")
def disable_staff(login: str) -> None:
    """Keep an account out: it is logged out everywhere, and its chats are unlinked."""
    from bot import commands

    _run(lambda settings: commands.disable_staff(settings, login))


@staff.command("reset")
def reset_staff(
    login: str,
    phone_is_lost: Annotated[bool, typer.Option("--phone-is-lost", help="Take the second factor off, too.")] = False,
) -> None:
    """Print a link, valid 24 hours and once, by which this account chooses a new password."""
    from bot import commands

    print(_run(lambda settings: commands.reset_staff(settings, login, phone_is_lost=phone_is_lost)))


@app.command()
def broadcast(
    what: Annotated[str, typer.Argument(metavar="FILE|status", help="A TOML file, or the word status.")],
    number: Annotated[int | None, typer.Argument(help="The number of a broadcast, after status.")] = None,
    author: Annotated[str, typer.Option(metavar="LOGIN", help="Who wrote it.")] = "",
    approver: Annotated[str, typer.Option(metavar="LOGIN", help="Who stands for it beside the author.")] = "",
    at: Annotated[str, typer.Option(metavar="TIME", help="ISO; local to the city unless it says otherwise.")] = "",
) -> None:
    """Send the notice in FILE, or say what became of one; one line of JSON each."""
    from bot import commands

    if what == "status" and number is not None:
        said = _run(lambda settings: commands.broadcast_status(settings, number))
    elif not (author and approver):
        raise typer.BadParameter("a broadcast needs --author and --approver")
    else:
        said = _run(lambda settings: commands.broadcast(settings, Path(what), author, approver, at))
    print(json.dumps(said, ensure_ascii=False))


@app.command()
def resume() -> None:
    """Let bulk sending go on in a restored database."""
    from bot import commands

    print("Bulk sending goes on." if _run(commands.resume) else "Bulk sending was not held.")


@season.command("on")
def season_on(name: str) -> None:
    """Bring a season's notices up to its file and let them fire; the report is one line of JSON."""
    from bot import commands

    print(json.dumps(_run(lambda settings: commands.season_on(settings, name)), ensure_ascii=False))


@season.command("off")
def season_off(name: str) -> None:
    """Let nothing of a season fire any more."""
    from bot import commands

    print(json.dumps({"was_on": _run(lambda settings: commands.season_off(settings, name))}))


@wechat.command("menu")
def make_menu() -> None:
    """Make the menu below the chat anew; a running program does so at its start."""
    from bot import commands

    print(f"The menu has {_run(commands.make_menu)} entries.")


@app.command()
def chat(locale: str = "zh_CN") -> None:
    """A chat in the terminal: the same bot; `@35.02,110.99` shares a location."""
    from bot import commands

    _run(lambda settings: commands.chat(settings, locale))


@app.command()
def check() -> None:
    """Say, setting by setting, what is configured, what is reachable and what would not work."""
    from bot import commands

    if not _run(commands.check):
        raise typer.Exit(1)


def _report(report: dict[str, Any], skip_bad: bool) -> None:
    print(json.dumps(report, ensure_ascii=False))
    if report["rejected"] and not skip_bad:
        raise typer.Exit(1)


def _serve(*, talks: bool, works: bool) -> None:
    from bot import commands

    async def run(settings: Settings) -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        program = await commands.prepare(settings, talks=talks, works=works)
        port = await program.start()
        commands.greet(settings, port)
        await stopped.wait()
        try:
            async with asyncio.timeout(PATIENCE):
                await program.stop()
        except TimeoutError:
            # Whatever still holds on is in the database with a lease.
            os._exit(1)

    _run(run)


def _run(command: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(command(load()))


def _configure_log() -> None:
    """One line of JSON for each event on standard error; what libraries chat about stays out."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


if __name__ == "__main__":
    main()
