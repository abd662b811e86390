"""Keeps the catalogs in step with the code: `update`, `check`, and `fill` with translations from a JSON file.

English is what the code says; traditional Chinese that nobody wrote yet is made from the simplified.
"""

import fcntl
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Formatter

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
LOCALES = ROOT / "locales"
HEADER = """msgid ""
msgstr ""
"Language: {locale}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext.babel_extract")]


def template() -> Catalog:
    """Every message that the code says today."""
    catalog = Catalog(project="nuanxin", charset="utf-8")
    for file, _line, message, _comments, _context in extract_from_dir(ROOT / "bot", METHODS, keywords={"_": None}):
        assert isinstance(message, str)
        catalog.add(message, locations=[(f"bot/{file}", 1)])
    return catalog


def path(locale: str) -> Path:
    return LOCALES / locale / "LC_MESSAGES" / "nuanxin.po"


def load(locale: str) -> Catalog:
    if not path(locale).exists():
        return Catalog(locale=locale, project="nuanxin", charset="utf-8")
    with path(locale).open("rb") as file:
        return read_po(file, locale=locale)


def save(locale: str, catalog: Catalog) -> None:
    path(locale).parent.mkdir(parents=True, exist_ok=True)
    with path(locale).open("wb") as file:
        file.write(HEADER.format(locale=locale).encode())
        write_po(file, catalog, sort_output=True, omit_header=True, width=110, no_location=True)


@contextmanager
def locked() -> Iterator[None]:
    LOCALES.mkdir(exist_ok=True)
    with (LOCALES / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def update(translations: dict[str, str]) -> None:
    """Bring the three catalogs up to date; `translations` are simplified Chinese, by message."""
    from opencc import OpenCC

    traditional = OpenCC("s2twp")
    catalogs = {}
    for locale in ("zh_CN", "zh_TW", "en"):
        catalogs[locale] = load(locale)
        catalogs[locale].update(template(), no_fuzzy_matching=True)
        catalogs[locale].obsolete.clear()
    for message in catalogs["zh_CN"]:
        if not isinstance(message.id, str) or not message.id:
            continue
        if words := translations.get(message.id):
            if words != message.string:
                catalogs["zh_TW"][message.id].string = ""
            message.string = words
        catalogs["en"][message.id].string = message.id
        other = catalogs["zh_TW"][message.id]
        if isinstance(message.string, str) and message.string and not other.string:
            other.string = _keeping_names(traditional.convert(message.string), message.string)
    for locale, catalog in catalogs.items():
        save(locale, catalog)


def _keeping_names(converted: str, original: str) -> str:
    names = iter(re.findall(r"\{\w+\}", original))
    return re.sub(r"\{\w+\}", lambda _match: next(names), converted)


def check() -> list[str]:
    """What is wrong with the catalogs, one line each."""
    wrong = []
    said = {message.id for message in template() if message.id}
    for locale in ("zh_CN", "zh_TW", "en"):
        catalog = load(locale)
        known = {message.id: message for message in catalog if message.id}
        wrong += [f"{locale}: missing: {id}" for id in sorted(said - known.keys())]
        wrong += [f"{locale}: no longer said: {id}" for id in sorted(known.keys() - said)]
        for id, message in known.items():
            if message.fuzzy:
                wrong.append(f"{locale}: fuzzy: {id}")
            if not message.string:
                wrong.append(f"{locale}: not translated: {id}")
            elif _names(str(message.string)) != _names(str(id)):
                wrong.append(f"{locale}: other names in braces: {id}")
    return wrong


def _names(text: str) -> set[str]:
    return {name for _literal, name, _spec, _conversion in Formatter().parse(text) if name}


def main(arguments: list[str]) -> int:
    match arguments:
        case ["update"]:
            with locked():
                update({})
        case ["fill", *files]:
            with locked():
                for file in files:
                    update(json.loads(Path(file).read_text("utf-8")))
        case ["check"]:
            wrong = check()
            sys.stderr.writelines(f"{line}\n" for line in wrong)
            return 1 if wrong else 0
        case _:
            sys.stderr.write("usage: python -m scripts.messages update | check | fill FILE.json …\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
