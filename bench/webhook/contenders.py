"""Who is measured, and how each is started."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.processes import CACHE, ROOT, NotStarted, Program, free_port, run
from bench.webhook import places

BOTS = Path(__file__).parent / "bots"
PATH = "/telegram/webhook"
SECRET = "bench-secret-0123456789"
TOKEN = "123456:AAbenchbenchbenchbenchbenchbenchben"

OURS = "nuanxin"
FLOOR_CLIENT = "floor: aiohttp, own client"
FLOOR_RESPONSE = "floor: aiohttp, in response"
GRAMMY = "grammY"
PTB, AIOGRAM, TELEBOT = "python-telegram-bot", "aiogram", "pyTelegramBotAPI"
PYTHON_PEERS = (PTB, AIOGRAM, TELEBOT)


@dataclass(frozen=True, slots=True)
class Contender:
    """A server to be measured. `exact`: its answer must name exactly the five nearest, nearest first."""

    name: str
    script: str = ""
    argument: str = ""
    exact: bool = True


CONTENDERS = (
    Contender(OURS, exact=False),
    Contender(PTB, "python_telegram_bot"),
    Contender(AIOGRAM, "aiogram_bot"),
    Contender(f"{AIOGRAM}, in response", "aiogram_bot", "response"),
    Contender(TELEBOT, "pytelegrambotapi"),
    Contender(GRAMMY, "grammy.mjs"),
    Contender(f"{GRAMMY}, in response", "grammy.mjs", "response"),
    Contender(FLOOR_CLIENT, "floor_client"),
    Contender(FLOOR_RESPONSE, "floor_response"),
)
RESPONDER = Contender("fixed response", "responder")


@dataclass(frozen=True, slots=True)
class Running:
    program: Program
    port: int


@contextmanager
def running(contender: Contender, api: str) -> Iterator[Running]:
    """The contender on a port of its own, talking to the Bot API at `api`; ended with the block.

    It may not listen yet. Raises NotStarted with a reason if it cannot run here.
    """
    port = free_port()
    with TemporaryDirectory(prefix="nuanxin-bench-") as folder:
        if contender.name == OURS:
            program = _ours(Path(folder), port, api)
        elif contender.script.endswith(".mjs"):
            program = _node(contender, port, api)
        else:
            module = f"bench.webhook.bots.{contender.script}"
            command = [sys.executable, "-m", module, *contender.argument.split()]
            program = Program(contender.name, command, _peer_environment(port, api))
        with program:
            yield Running(program, port)


def _ours(folder: Path, port: int, api: str) -> Program:
    """The real program on a fresh SQLite database with the places imported."""
    if not (ROOT / "bot" / "__main__.py").exists():
        raise NotStarted("the program cannot be started yet")
    env = {
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": f"sqlite:///{folder / 'bench.db'}",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SECRET_KEY": "bench-secret-key-0123456789abcdef0123456789abcdef",
        "STAFF_PASSWORD": "bench-password-0123456789",
        "DEMO": "0",
        "TELEGRAM_TOKEN": TOKEN,
        "TELEGRAM_SECRET": SECRET,
        "TELEGRAM_API_URL": api,
        # First contacts are answered by calls; at Telegram's own 29 a second warming up would take minutes.
        "TELEGRAM_RATE": "5000",
    }
    nuanxin = [sys.executable, "-m", "bot"]
    places.write_csv(folder / "places.csv")
    for command in (["migrate"], ["import", "places", str(folder / "places.csv")]):
        done = run([*nuanxin, *command], env, folder)
        if done.status:
            raise NotStarted(f"nuanxin {' '.join(command[:2])} failed: {done.output.strip()[-600:]}")
    return Program(OURS, [*nuanxin, "serve"], env, folder)


def _node(contender: Contender, port: int, api: str) -> Program:
    """A bot for node, in a folder of the cache where npm has installed what it needs."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise NotStarted("skipped: node and npm are not installed")
    folder = CACHE / "node"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (BOTS / "grammy.json").read_text("utf-8")
    installed = folder / "package.json"
    complete = (folder / "node_modules" / "grammy").is_dir() and installed.exists()
    if not complete or installed.read_text("utf-8") != wanted:
        installed.write_text(wanted, "utf-8")
        done = run([npm, "install", "--no-audit", "--no-fund", "--no-package-lock"], {}, folder)
        if done.status:
            raise NotStarted(f"skipped: npm install failed: {done.output.strip()[-300:]}")
    shutil.copy(BOTS / contender.script, folder)
    places.write_json(folder / "places.json")
    env = _peer_environment(port, api)
    env |= {"BENCH_PLACES": str(folder / "places.json"), "NODE_ENV": "production"}
    return Program(contender.name, [node, contender.script, *contender.argument.split()], env, folder)


def _peer_environment(port: int, api: str) -> dict[str, str]:
    return {"BENCH_PORT": str(port), "BENCH_API": api, "BENCH_SECRET": SECRET, "BENCH_TOKEN": TOKEN}
