"""Makes `tests/standins/telegram-schema.json`, what the Bot API takes and sends, from npm's `@gramio/types`.

Run it by `python -m scripts.telegram_schema` where npm is installed, after a new version of the Bot API.
"""

import json
import re
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PACKAGE = "@gramio/types"
VERSION = "10.3.1"
TARGET = Path(__file__).parent.parent / "tests" / "standins" / "telegram-schema.json"
METHODS = (
    "answerCallbackQuery",
    "deleteMyCommands",
    "deleteWebhook",
    "editMessageCaption",
    "editMessageText",
    "getUpdates",
    "sendMessage",
    "sendPhoto",
    "sendVenue",
    "setMyCommands",
    "setWebhook",
)
# The types say `number` for both; every number of the Bot API that is no whole one, by its field's name.
FRACTIONS = {"latitude", "longitude", "horizontal_accuracy", "point_x", "scale", "x_shift", "y_shift"}
NOTICE = f"Derived from {PACKAGE} {VERSION} (MIT licence); field comments left out, limits taken from them."

Schema = dict[str, Any]

_INTERFACE = re.compile(r"^export interface (\w+) \{(\}|\n.*?^\})", re.M | re.S)
_ALIAS = re.compile(r"^export type (\w+) =\s*(.*?)(?=\n\n|\n/\*\*|\nexport |\Z)", re.M | re.S)
_FIELD = re.compile(r"^    (?:/\*\*(.*?)\*/\s*)?(\w+)(\?)?:\s*(.*?)(?=\n    /\*\*|\n    \w+\??:|\Z)", re.M | re.S)
_TOKEN = re.compile(r"""\{[^{}]*\}|"[^"]*"|Exclude<[^>]*>|[\w.]+|\[\]|[|()]""")


def main() -> None:
    params, objects, licence = _download()
    interfaces = {name: body for source in (params, objects) for name, body in _INTERFACE.findall(source)}
    aliases = {name: body for source in (params, objects) for name, body in _ALIAS.findall(source)}
    wanted = [method[0].upper() + method[1:] + "Params" for method in METHODS] + ["TelegramUpdate"]
    definitions: dict[str, Schema] = {}
    while wanted:
        name = wanted.pop()
        if name in definitions:
            continue
        definition = _object(interfaces[name]) if name in interfaces else _type(aliases[name], name)
        definitions[name] = definition
        wanted += re.findall(r'"#/\$defs/(\w+)"', json.dumps(definition))
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"{NOTICE} {licence}",
        "$defs": dict(sorted(definitions.items())),
    }
    TARGET.write_text(json.dumps(schema, ensure_ascii=False, separators=(",", ":")).replace('},"', '},\n"') + "\n")


def _download() -> tuple[str, str, str]:
    with TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=folder, check=True, capture_output=True)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        package = Path(folder) / "package"
        params, objects = ((package / "out" / f"{name}.d.ts").read_text() for name in ("params", "objects"))
        return params, objects, " ".join((package / "LICENSE").read_text().split())


def _object(body: str) -> Schema:
    fields: dict[str, Schema] = {}
    required: list[str] = []
    for comment, name, optional, written in _FIELD.findall(body):
        fields[name] = _type(written, name) | _limits(comment, written)
        if not optional:
            required.append(name)
    return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}


def _type(written: str, name: str) -> Schema:
    """The schema of a TypeScript type as the package writes them: unions of names, literals and lists."""
    return _union(_TOKEN.findall(written), name)


def _union(tokens: list[str], name: str) -> Schema:
    kinds: list[Schema] = []
    while tokens:
        token = tokens.pop(0)
        if token == ")":
            break
        if token == "|" or token.startswith("{"):  # { toString() } and its like: ways to write the same value
            continue
        if token == "[]":
            kinds[-1] = {"type": "array", "items": kinds[-1]}
        else:
            kinds.append(_union(tokens, name) if token == "(" else _single(token, name))
    if all("const" in kind for kind in kinds):
        return {"enum": [kind["const"] for kind in kinds]}
    return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


def _single(token: str, name: str) -> Schema:
    match token:
        case "string" | "boolean":
            return {"type": token}
        case "number":
            return {"type": "number" if name in FRACTIONS else "integer"}
        case "true" | "false":
            return {"const": token == "true"}
        case "Objects.TelegramInputFile" | "TelegramInputFile":
            return {"type": "string", "pattern": "^attach://"}
    if token.startswith('"') or token.isdigit():
        return {"const": json.loads(token)}
    if token.startswith("Exclude<keyof"):
        return {"type": "string"}
    return {"$ref": f"#/$defs/{token.removeprefix('Objects.')}"}


def _limits(comment: str, written: str) -> Schema:
    """Limits that the comments state in the same few ways; the stand-in counts bytes and parsed text."""
    if found := re.search(r"(\d+)-(\d+) characters(?! after entities)", comment):
        return {"minLength": int(found[1]), "maxLength": int(found[2])}
    if written.strip() == "number" and (found := re.search(r"Values between (\d+)-(\d+)|, (\d+)-(\d+)\.", comment)):
        low, high = (int(value) for value in found.groups() if value)
        return {"minimum": low, "maximum": high}
    if found := re.search(r"At most (\d+) commands", comment):
        return {"maxItems": int(found[1])}
    return {}


if __name__ == "__main__":
    main()
