"""One message to many followers by the whole program, killed when WeChat has taken it and before it can say so."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.channels.wechat.phone import TOKEN
from tests.program import run, serving, until
from tests.standins.wechat import WeChatStandIn
from tests.test_program_wechat import AT_NOON, Account, Rider

# More than WeChat tags at once.
FOLLOWERS = 53
SEND = "message/mass/sendall"
WARNING = """
category = "weather"
urgency = "red"
source = "https://weather.example/1"
[texts.zh_CN]
title = "暴雪红色预警"
body = "今晚有暴雪，请停运。"
"""


class Operator:
    """Starts and stops the program of one account, at the time that WeChat's clock tells."""

    def __init__(self, wechat: WeChatStandIn, folder: Path) -> None:
        self.wechat = wechat
        self.folder = folder

    @property
    def _settings(self) -> dict[str, str]:
        return {
            "WECHAT_APP_ID": self.wechat.app_id,
            "WECHAT_TOKEN": TOKEN,
            "WECHAT_ACCOUNT": self.wechat.kind,
            "WECHAT_API_URL": self.wechat.url,
            "WECHAT_APP_SECRET": self.wechat.secret,
            "CLOCK": self.wechat.now().isoformat(),
        }

    @asynccontextmanager
    async def serves(self) -> AsyncIterator[Account]:
        async with serving(self.folder, **self._settings) as program:
            yield Account(self.wechat, program, "", self.folder)

    async def commands(self, *arguments: str) -> str:
        status, out, err = await run(self.folder, *arguments, **self._settings)
        assert status == 0, err
        return out

    async def warns(self) -> dict[str, Any]:
        """Approve a red warning; what it comes to."""
        file = self.folder / "warning.toml"
        file.write_text(WARNING, "utf-8")
        said = await self.commands("broadcast", str(file), "--author", "ed", "--approver", "ap")
        warning: dict[str, Any] = json.loads(said.splitlines()[-1])
        return warning

    async def status(self, number: int) -> dict[str, Any]:
        said = await self.commands("broadcast", "status", str(number))
        status: dict[str, Any] = json.loads(said.splitlines()[-1])
        return status


async def test_it_goes_out_once_and_is_counted(tmp_path: Path) -> None:
    times = [AT_NOON]
    async with WeChatStandIn("service-verified", now=lambda: times[-1]) as wechat:
        operator = Operator(wechat, tmp_path)
        for login, role in (("ed", "editor"), ("ap", "approver")):
            await operator.commands("staff", "add", login, "--role", role)
        async with operator.serves() as account:
            for number in range(FOLLOWERS):
                rider = Rider(account, f"o{number}")
                await rider.does(rider.phone.event("subscribe", EventKey=""), "tap")
                await rider.does(rider.phone.event("CLICK", EventKey="nset"), "tap")
                await rider.taps("告诉我")
            assert await account.program.stops() == 0

        times.append(AT_NOON + timedelta(days=3))
        wechat.hold(SEND)
        async with operator.serves() as account:
            mei = Rider(account, "o0")
            await mei.says("菜单")
            warning = await operator.warns()
            (ahead,) = warning["reach"]["masses"]
            assert (ahead["people"], ahead["left"], ahead["most"], ahead["goes"]) == (FOLLOWERS - 1, 4, 4, True)
            await until(lambda: wechat.mass and mei.follower.sees)
            await account.program.is_killed()
            assert wechat.refused == []

        times.append(times[-1] + timedelta(minutes=3))  # the lease of who was killed is over
        async with operator.serves() as account:
            await until(lambda: wechat.refused)
            assert wechat.refused == [45065], "it was asked once more, with the same key"
            (sent,) = wechat.mass.values()
            assert "暴雪红色预警" in sent.text
            assert "暴雪红色预警" in mei.follower.sees[-1], "who can be written to is"
            told = {openid: len(follower.told) for openid, follower in wechat.followers.items()}
            assert told == {openid: int(openid != "o0") for openid in told}
            phone = Rider(account, "o1").phone
            counts = {
                "TotalCount": len(sent.to),
                "FilterCount": len(sent.to),
                "SentCount": len(sent.to),
                "ErrorCount": 0,
            }
            ended = phone.event("MASSSENDJOBFINISH", MsgID=sent.number, Status="send success", **counts)
            assert (await phone.delivers_once(ended)).is_nothing
            await until(lambda: not wechat.tags)
            status = await operator.status(warning["number"])
            assert (status["state"], status["sent"], status["waiting"]) == ("finished", FOLLOWERS, 0)
            (ahead,) = (await operator.warns())["reach"]["masses"]
            assert (ahead["left"], ahead["most"]) == (3, 4)
            assert await account.program.stops() == 0
            assert account.program.errors() == []
