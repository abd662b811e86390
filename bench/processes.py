"""Programs under measurement: started on one core, timed, and ended whatever happens."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # psutil ships no types

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "var" / "bench"
"""Logs, node packages and databases of the benchmarks; may be deleted at any time."""

SERVER_CORE = 0
LOAD_CORE = 1


class NotStarted(Exception):
    """A program ended, or did not answer, before it could be measured."""


class Program:
    """A child process pinned to the server's core, with its output in a log; leaving the block ends it."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], cwd: Path = ROOT) -> None:
        self.name = name
        self.log = CACHE / "logs" / f"{name.replace(' ', '-')}.log"
        self._command = list(command)
        self._env = {**_quiet_environment(), **env}
        self._cwd = cwd

    def __enter__(self) -> "Program":
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._env,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_become_a_server,
            )
        self.started = time.perf_counter()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self, grace: float = 6.0) -> float:
        """Ends it, by force after `grace` seconds; returns how long that took."""
        began = time.perf_counter()
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        return time.perf_counter() - began

    def check(self) -> None:
        """Raises NotStarted, with the end of its log, if it is no longer running."""
        if self._process.poll() is not None:
            tail = self.log.read_text(errors="replace").strip()[-600:]
            raise NotStarted(f"{self.name} ended with status {self._process.returncode}: {tail}")

    def cpu(self) -> float:
        """Seconds of processor time used so far, children included."""
        total = 0.0
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def held_up(self) -> float:
        """Seconds for which its first thread could have run so far, but other programs had the core."""
        try:
            ran, waited, _turns = Path(f"/proc/{self.pid}/schedstat").read_text("ascii").split()
        except OSError:
            return 0.0
        own_threads = self.cpu() - int(ran) / 1e9
        return max(int(waited) / 1e9 - own_threads, 0.0)

    def resident(self) -> int:
        """Bytes of memory in use now, children included."""
        total = 0
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def _family(self) -> list[psutil.Process]:
        try:
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


@dataclass(frozen=True, slots=True)
class Finished:
    status: int
    output: str


def run(command: Sequence[str], env: Mapping[str, str], cwd: Path = ROOT, timeout: float = 120) -> Finished:
    """Runs a short command to its end; its output and errors together. Raises NotStarted if it takes too long."""
    try:
        done = subprocess.run(
            list(command),
            env={**_quiet_environment(), **env},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotStarted(f"{command[-2]} {command[-1]} took longer than {timeout:.0f} s") from error
    return Finished(done.returncode, done.stdout.decode(errors="replace"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def on_load_core() -> Iterator[bool]:
    """Pins this process away from the servers; yields False where there is only one core to share."""
    if not hasattr(os, "sched_setaffinity"):
        yield False
        return
    before = os.sched_getaffinity(0)
    if not {SERVER_CORE, LOAD_CORE} <= before:
        yield False
        return
    os.sched_setaffinity(0, {LOAD_CORE})
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)


def _become_a_server() -> None:
    """Runs in the child: take the server's core, and die with the benchmark."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {SERVER_CORE})
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _quiet_environment() -> dict[str, str]:
    """This process's environment without settings of the program that a developer may have exported.

    Bytecode is kept, as it is wherever these programs run in earnest: compiling scipy alone takes a second.
    """
    ours = (
        "STAFF_",
        "TELEGRAM_",
        "WECHAT_",
        "DATABASE_",
        "PUBLIC_URL",
        "PORT",
        "HOST",
        "DEMO",
        "CLOCK",
        "SECRET_KEY",
        "CITY",
    )
    kept = {key: value for key, value in os.environ.items() if not key.startswith((*ours, "PYTHONDONTWRITEBYTECODE"))}
    return {**kept, "PYTHONUNBUFFERED": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
