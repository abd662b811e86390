"""The whole program as operators run it: started, asked, stopped, killed."""

import asyncio
import json
import re
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.program import executed, run_from, serving, serving_from

YANHU = {"lat": 35.016, "lng": 110.993, "datum": "wgs84"}


async def test_from_the_first_start_to_the_nearest_place_and_a_clean_stop(tmp_path: Path) -> None:
    async with serving_from(executed, tmp_path, "serve", {}) as program:
        assert re.search(r"admin\s+\S{8,}", program.greeting)
        answers = await program.chat({"text": "/start"}, {"location": YANHU})
        listed = next(answer for answer in answers if answer.get("places"))
        assert len(listed["places"]) == 5  # type: ignore[arg-type]  # JSON
        assert "示例" in str(listed["text"])
        status, ready = await program.get("/readyz")
        assert (status, json.loads(ready)["ready"]) == (200, True)
        assert (await program.get("/healthz"))[0] == 200
        _status, numbers = await program.get("/metrics")
        assert 'nuanxin_turns_total{channel="web"} 2.0' in numbers
        assert "nuanxin_turn_seconds_count 2.0" in numbers
        assert 'nuanxin_outbox_rows{lane="bulk"} 0.0' in numbers
        async with aiohttp.ClientSession() as client, client.ws_connect(f"{program.address}/chat/ws"):
            program.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):  # the program itself ends it within five seconds
                assert await program.process.wait() == 0
    async with serving_from(executed, tmp_path, "serve", {}) as program:
        assert "Staff login" not in program.greeting


async def test_metrics_are_for_this_machine_or_a_token(tmp_path: Path) -> None:
    async with serving(tmp_path, METRICS_TOKEN="opens") as program:
        assert (await program.get("/metrics"))[0] == 403
        assert (await program.get("/metrics", Authorization="Bearer opens"))[0] == 200
        assert (await program.get("/metrics", Authorization="Bearer öffnet"))[0] == 403


async def test_what_was_confirmed_survives_a_kill(tmp_path: Path) -> None:
    async with serving_from(executed, tmp_path, "serve", {}) as program:
        answers = await program.chat({"text": "/language"})
        token = answers[0]["session"]
        buttons = next(answer for answer in answers if answer.get("buttons"))["buttons"]
        english = next(b for row in buttons for b in row if b.get("label") == "English")  # type: ignore[attr-defined]
        async with aiohttp.ClientSession() as client, client.ws_connect(f"{program.address}/chat/ws?resume") as socket:
            await socket.send_json({"resume": token, "after": 0})
            await socket.send_json({"press": english["press"], "key": "e"})
            while (await socket.receive_json()).get("done") != "e":
                pass
            program.process.kill()
    async with serving_from(executed, tmp_path, "serve", {}) as program, aiohttp.ClientSession() as client:
        async with client.ws_connect(f"{program.address}/chat/ws?resume") as socket:
            await socket.send_json({"resume": token, "after": 0})
            await socket.send_json({"text": "/settings", "key": "s"})
            words = ""
            while True:
                answer = await socket.receive_json()
                words += answer.get("text", "")
                if answer.get("done") == "s":
                    break
        assert "English" in words


@pytest.mark.parametrize(
    ("arguments", "status"), [(["serve"], 2), (["import", "places", "nowhere.csv"], 2), (["check"], 2)]
)
async def test_wrong_settings_are_said_and_end_with_status_two(
    tmp_path: Path, arguments: list[str], status: int
) -> None:
    wrong = {"PORT": "no", "DATABASE_URL": "mysql://u:hunter2@x/y"}
    returned, _out, err = await run_from(executed, tmp_path, tuple(arguments), wrong)
    assert returned == status
    assert "Traceback" not in err
    assert "hunter2" not in err
