"""What goes out of the account's own accord: customer-service messages, within each person's window."""

import base64
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.channels import Absent, Unreachable
from bot.channels.wechat import encode
from bot.channels.wechat.api import Api
from bot.channels.wechat.budget import Budget
from bot.channels.wechat.encode import Article, Words
from bot.channels.wechat.errors import STALE_MEDIA, ApiError, Unclear, undelivered
from bot.channels.wechat.templates import Form
from bot.messages import Outgoing

MOST_PARTS = 3
# What a message with choices to tap may hold; bytes of UTF-8.
MOST_CHOICES, LONGEST_ID, LONGEST_CHOICE, LONGEST_HEAD = 10, 64, 128, 1024
# An uploaded picture lives for three days.
PICTURE_LIVES = timedelta(days=2)
MOST_PICTURES = 64

Post = dict[str, Any]


class Pusher:
    """Sends to people whose window is open; what does not fit it is left to the mailbox."""

    def __init__(
        self,
        api: Api,
        budget: Budget,
        words: Mapping[str, Words],
        now: Callable[[], datetime],
        forms: Mapping[str, Form] = {},
    ) -> None:
        """`forms` are those of the account that messages go out by while nobody may be written to, by their kind."""
        self._api = api
        self._budget = budget
        self._words = words
        self._now = now
        self._forms = forms
        self._pictures: OrderedDict[bytes, tuple[str, datetime]] = OrderedDict()

    async def push(self, user: str, message: Outgoing) -> str:
        """Send now and return an id of ours, WeChat gives none; raises Undelivered, Absent if it can only wait.

        After a failure between two messages that belong together, a retry repeats the first.
        """
        posts = encode_posts(message, self._words)
        if not posts:
            return ""
        until = await self._budget.take(user, len(posts), now=self._now())
        if until is None:
            return await self._fill(user, message)
        left = len(posts)
        try:
            for post in posts:
                await self._post(user, post)
                left -= 1
        except ApiError as error:
            failure = undelivered(error, self._now())
            if isinstance(failure, Absent):
                await self._budget.close(user, until=until)
            else:
                # Of the one whose outcome nobody knows, the platform may have taken notice.
                await self._budget.give_back(user, left - isinstance(error, Unclear), until=until)
            raise failure from None
        return f"push-{secrets.token_hex(6)}"

    async def _fill(self, user: str, message: Outgoing) -> str:
        """Send it as a form, if there is one of its kind and it fits; whatever else happens, it waits for a contact."""
        form = self._forms.get(message.form)
        if form is None:
            raise Absent("no reply window is open")
        try:
            data = form.filled(dict(message.facts))
            if form.way == "template":
                await self._api.send_template(user, form.id, data)
            else:
                await self._api.send_subscribed(user, form.id, data)
        except ApiError as error:
            failure = undelivered(error, self._now())
            raise failure if isinstance(failure, Unreachable) else Absent(str(failure)) from None
        except ValueError as error:
            raise Absent(str(error)) from None
        return f"form-{secrets.token_hex(6)}"

    async def _post(self, user: str, post: Post) -> None:
        picture = post.get("picture")
        if picture is None:
            await self._api.send(user, post)
            return
        try:
            await self._api.send(user, await self._image(picture))
        except ApiError as error:
            if error.code != STALE_MEDIA:
                raise
            self._pictures.clear()
            await self._api.send(user, await self._image(picture))

    async def _image(self, picture: bytes) -> Post:
        """The message that shows `picture`, which is uploaded once."""
        digest, now = hashlib.sha256(picture).digest(), self._now()
        media_id, until = self._pictures.get(digest, ("", now))
        if until <= now:
            media_id = await self._api.upload(picture)
            self._pictures[digest] = media_id, now + PICTURE_LIVES
            if len(self._pictures) > MOST_PICTURES:
                self._pictures.popitem(last=False)
        return {"msgtype": "image", "image": {"media_id": media_id}}


def encode_posts(message: Outgoing, words: Mapping[str, Words]) -> list[Post]:
    """The customer-service messages that say `message`, all but the person; a picture as its bytes, before its words.

    Choices can be tapped where all of them fit. A text that is too long goes on in the next message.
    """
    posts: list[Post] = [{"picture": base64.b64decode(message.photo)}] if message.photo else []
    text = encode.encode(message)
    if not text.strip():
        return posts
    if menu := _menu(text, message.choices):
        return [*posts, menu]
    said, _rest = encode.page((text,), words)
    if isinstance(said, Article):
        article = {"title": said.title, "description": said.description, "url": said.url, "picurl": ""}
        return [*posts, {"msgtype": "news", "news": {"articles": [article]}}]
    return [*posts, *({"msgtype": "text", "text": {"content": part}} for part in parts(text))]


def parts(text: str, most: int = MOST_PARTS) -> list[str]:
    """`text` in at most 3 parts that each fit one message: cut between lines, else between characters."""
    found: list[str] = []
    while text and len(found) < most:
        part = text.encode()[: encode.LONGEST].decode(errors="ignore")
        if len(part) < len(text) and (at := part.rfind("\n")) > 0:
            part = part[:at]
        found.append(part)
        text = text[len(part) :].lstrip("\n")
    if text:
        shorter = found[-1].encode()[: encode.LONGEST - len("…".encode())].decode(errors="ignore")
        found[-1] = f"{shorter}…"
    return found


def _menu(text: str, choices: tuple[tuple[str, str], ...]) -> Post | None:
    """The message whose choices can be tapped; None where one of them, or the words before them, are too long."""
    lines, shown = text.split("\n"), {label for label, _token in choices}
    head = "\n".join(line for line in lines if line not in shown)
    fits = (
        0 < len(choices) <= MOST_CHOICES
        and shown <= set(lines)
        and 0 < len(head.encode()) <= LONGEST_HEAD
        and all(len(token.encode()) <= LONGEST_ID for _label, token in choices)
        and all(len(label.encode()) <= LONGEST_CHOICE for label in shown)
    )
    if not fits:
        return None
    items = [{"id": token, "content": label} for label, token in choices]
    return {"msgtype": "msgmenu", "msgmenu": {"head_content": head, "list": items, "tail_content": ""}}
