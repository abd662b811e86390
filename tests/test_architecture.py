"""Imports point one way, and nothing happens at import: the table below is the architecture."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

BOT = Path(__file__).parent.parent / "bot"
WORDS = {"errors", "i18n", "messages"}
MAY_IMPORT: dict[str, set[str]] = {
    "messages": set(),
    "settings": set(),
    "clock": set(),
    "i18n": set(),
    "geo": set(),
    "seals": set(),
    "words": set(),
    "metrics": set(),
    "weather_feed": set(),
    "database": set(),
    "callbacks": set(),
    "models": {"database"},
    "errors": {"i18n"},
    "channel_names": {"i18n"},
    "pictures": set(),
    "outbox": {"messages", "models", "database", "pictures"},
    "pacing": {"outbox", "database"},
    "schedule": {"messages", "models", "database"},
    "loops": {"models", "database"},
    "signals": {"database"},
    "services": WORDS
    | {"channel_names", "geo", "words", "pictures", "seals", "models", "database", "outbox", "schedule"},
    "conversation": WORDS | {"models", "database", "outbox", "pictures", "words"},
    "handlers": WORDS | {"conversation", "services", "pictures", "seals", "database"},
    "channels": {"callbacks", "messages", "geo", "errors"},
    "delivery": WORDS | {"channels", "services", "database", "models", "outbox", "pacing", "schedule", "clock"},
    "web": WORDS | {"callbacks", "channel_names", "services", "database"},
}
# These build the program and may know everything.
BUILDERS = {"app", "ears", "official_account", "telegram_bot", "upkeep", "checks", "commands", "__main__", "__init__"}
# The only callers of the clock.
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.monotonic"}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(BOT.rglob("*.py")):
        yield path, ast.parse(path.read_text("utf-8"))


def part(path: Path) -> str:
    return path.relative_to(BOT).parts[0].removesuffix(".py")


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "bot":
            names = [node.module] if node.module != "bot" else [f"bot.{alias.name}" for alias in node.names]
            yield from (name.split(".")[1] for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("bot."))


def test_imports_point_one_way() -> None:
    wrong = [
        f"{path.relative_to(BOT)} imports bot.{other}"
        for path, tree in modules()
        if (mine := part(path)) not in BUILDERS
        for other in imported(tree)
        if other not in MAY_IMPORT[mine] | {mine}
    ]
    assert wrong == []


def test_only_the_clock_tells_the_time() -> None:
    wrong = [
        f"{path.relative_to(BOT)}:{node.lineno} calls {called}"
        for path, tree in modules()
        if part(path) != "clock"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (called := ast.unparse(node.func)).removeprefix("datetime.") in CLOCKS
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "core", "base", "manager"])
def test_no_module_is_called_nothing_in_particular(name: str) -> None:
    found = [path for path, _tree in modules() if path.stem == name and part(path) != "models"]
    assert found == []


def test_nobody_outside_channels_asks_which_channel_it_is() -> None:
    wrong = [
        f"{path.relative_to(BOT)}:{node.lineno}"
        for path, tree in modules()
        if part(path) in {"conversation", "handlers", "services", "delivery", "outbox"}
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in ("telegram", "wechat", "web", "terminal")
    ]
    assert wrong == []
