"""A hostile hand that fills every form of the console, and an eye that finds what came through."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from tests.web.admin.conftest import Browser

# What it writes: were any of it taken for markup, an element or an attribute called `hostile` would be there.
PAYLOAD = "\"'><hostile a=1><script>hostile()</script>{{7*7}}&lt;hostile&gt;"
MOST_PAGES = 120
_KINDS = {
    "number": "3",
    "date": "2026-01-20",
    "time": "10:00",
    "datetime-local": "2026-01-20T10:00",
    "color": "#000000",
}


@dataclass
class Form:
    action: str
    method: str
    is_multipart: bool
    fields: dict[str, list[str]] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        return self.action, self.method, tuple(sorted(self.fields))


class Seen(HTMLParser):
    """A page as a browser reads it: its links, its forms filled by the hostile hand, and what must not be in it."""

    def __init__(self, address: str, page: str) -> None:
        super().__init__()
        self.address = address
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.faults: list[str] = []
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._look(tag, given)
        match tag:
            case "a":
                self.links.append(urljoin(self.address, given.get("href", "")))
            case "form":
                action = urljoin(self.address, given.get("action", ""))
                multipart = given.get("enctype") == "multipart/form-data"
                self.forms.append(Form(action, given.get("method", "get").lower(), multipart))
            case "input" | "textarea" | "select" | "option" if self.forms:
                self._fill(tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""

    def _look(self, tag: str, given: dict[str, str]) -> None:
        if tag == "hostile" or "hostile" in given:
            self.faults.append(f"{self.address}: hostile markup")
        is_data = given.get("type") == "application/json"
        is_inline = tag == "script" and not given.get("src", "").startswith("/static/") and not is_data
        if tag == "style" or "style" in given or is_inline:
            self.faults.append(f"{self.address}: <{tag}> inline")
        for name, value in given.items():
            if name.startswith("on") or value.strip().lower().startswith("javascript:"):
                self.faults.append(f"{self.address}: {name}={value!r} on <{tag}>")

    def _fill(self, tag: str, given: dict[str, str]) -> None:
        fields, name, kind = self.forms[-1].fields, given.get("name", ""), given.get("type", "text")
        if tag == "option":
            if self._select and (self._select not in fields or "selected" in given):
                fields[self._select] = [given.get("value", "")]
        elif tag == "select":
            self._select = name
        elif tag == "input" and kind == "hidden":
            fields.setdefault(name, []).append(given.get("value", ""))
        elif tag == "input" and kind in ("checkbox", "radio"):
            if kind == "checkbox" or "checked" in given:
                fields.setdefault(name, []).append(given.get("value", "on"))
        elif name and kind not in ("file", "submit"):
            fields.setdefault(name, []).append(_KINDS.get(kind, PAYLOAD) if tag == "input" else PAYLOAD)


async def rampage(browser: Browser) -> tuple[list[str], set[str]]:
    """Fill and send every form that links lead to, look at every page and answer; the faults and the forms' actions."""
    faults: list[str] = []
    sent: set[tuple[str, str, tuple[str, ...]]] = set()
    for _round in range(2):  # what the first left behind is looked at by the second
        waiting, seen = ["/admin/", "/admin/account"], set[str]()
        while waiting and len(seen) < MOST_PAGES:
            address = waiting.pop(0)
            if address in seen or not _is_open(browser, address):
                continue
            seen.add(address)
            page = await _look_at(browser, address, faults)
            if page is None:
                continue
            waiting += page.links
            for form in page.forms:
                if form.key in sent or not _is_open(browser, form.action):
                    continue
                sent.add(form.key)
                await _send(browser, form, faults, waiting)
    return faults, {action for action, _method, _fields in sent}


def _is_open(browser: Browser, address: str) -> bool:
    """Whether this is a page of the console, and not one with which it would shut itself out."""
    parts = urlsplit(address)
    spared = ("/admin/logout", "/admin/login", f"/admin/staff/{browser.member.id}/")
    return not parts.netloc and parts.path.startswith("/admin/") and not f"{parts.path}/".startswith(spared)


async def _look_at(browser: Browser, address: str, faults: list[str]) -> Seen | None:
    response = await browser.get(address)
    if response.status >= 500:
        faults.append(f"{address}: {response.status}")
    if response.content_type != "text/html":
        return None
    page = Seen(address, await response.text())
    faults += page.faults
    return page


async def _send(browser: Browser, form: Form, faults: list[str], waiting: list[str]) -> None:
    fields = {name: values for name, values in form.fields.items() if name != "csrf"}
    if form.method == "get":
        asked = f"{urlsplit(form.action).path}?{urlencode(fields, doseq=True)}"
        await _look_at(browser, asked, faults)
        return
    response = await browser.post(form.action, fields)
    if response.status >= 500:
        faults.append(f"POST {form.action}: {response.status}")
    if response.status in (302, 303):
        waiting.append(response.headers["Location"])
    elif response.content_type == "text/html":
        faults += Seen(form.action, await response.text()).faults
