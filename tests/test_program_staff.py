"""The commands for the accounts of the staff, as whoever runs the server types them."""

import re
from pathlib import Path

from tests.program import run


async def test_accounts_are_listed_reset_and_disabled_from_the_command_line(tmp_path: Path) -> None:
    for login, role in (("zhao", "admin"), ("mei", "viewer")):
        assert (await run(tmp_path, "staff", "add", login, "--role", role, DEMO="0"))[0] == 0
    status, out, err = await run(tmp_path, "staff", "reset", "Mei", "--phone-is-lost", PUBLIC_URL="https://a.example")
    assert status == 0, err
    assert re.fullmatch(r"https://a\.example/admin/reset/[\w-]{43}\n", out)
    assert (await run(tmp_path, "staff", "disable", "mei"))[0] == 0
    status, out, _err = await run(tmp_path, "staff", "list")
    assert (status, out) == (0, "zhao\tadmin\t\tfirst password\nmei\tviewer\t\tdisabled, first password\n")
    for command in (("disable", "zhao"), ("disable", "nobody"), ("reset", "nobody"), ("link", "mei")):
        status, out, err = await run(tmp_path, "staff", *command)
        assert (status, out) == (1, ""), command
        assert len(err.splitlines()) == 1
