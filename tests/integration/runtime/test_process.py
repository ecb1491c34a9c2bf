"""runtime/process.py: the exit code tells the truth."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROBE = """
import asyncio, sys, time
from contextlib import asynccontextmanager
from runtime.process import run
from runtime.settings import Settings, prefixed

class ProbeSettings(Settings):
    model_config = prefixed("PROBE_")
    kind: str = "good"

async def loop(kind):
    if kind == "ends":
        return
    if kind == "raises":
        raise ZeroDivisionError("boom")
    if kind == "blocks":
        await asyncio.sleep(0.01)
        time.sleep(60)
    await asyncio.Event().wait()

@asynccontextmanager
async def open_app(settings, tasks):
    tasks.spawn(loop(settings.kind), name="probe")
    print("open", flush=True)
    yield
    print("closed", flush=True)
    if settings.kind == "hangs":
        await asyncio.Event().wait()

run("probe", ProbeSettings, open_app)
"""


def start(folder: Path, **environment: str) -> "subprocess.Popen[str]":
    script = folder / "probe.py"
    script.write_text(PROBE)
    return subprocess.Popen(  # noqa: S603 - our own interpreter and script
        [sys.executable, str(script)],
        env={
            **os.environ,
            "PYTHONPATH": str(Path.cwd()),
            "STOP_GRACE_SECONDS": "0.3",
            "LOG_FORMAT": "json",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_what_was_opened_and_ends_with_0(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path)
    assert first_line(process) == "open"

    process.send_signal(number)
    out, _ = process.communicate(timeout=10)

    assert (process.returncode, out.strip()) == (0, "closed")


@pytest.mark.parametrize("kind", ["ends", "raises"])
def test_a_loop_that_is_over_takes_the_process_down_with_1(tmp_path: Path, kind: str) -> None:
    process = start(tmp_path, PROBE_KIND=kind)
    _, log = process.communicate(timeout=10)

    assert process.returncode == 1
    assert '"event":"died"' in log


def test_a_stop_that_hangs_is_forced_and_ends_with_1(tmp_path: Path) -> None:
    process = start(tmp_path, PROBE_KIND="hangs")
    assert first_line(process) == "open"

    process.terminate()
    process.communicate(timeout=10)

    assert process.returncode == 1


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, PROBE_KIND="hangs", STOP_GRACE_SECONDS="100")
    assert first_line(process) == "open"

    process.terminate()
    assert first_line(process) == "closed"
    process.terminate()
    process.communicate(timeout=10)

    assert process.returncode == 1


def test_wrong_settings_end_with_2_and_say_which(tmp_path: Path) -> None:
    process = start(tmp_path, PROBE_KINDD="good")
    _, log = process.communicate(timeout=10)

    assert process.returncode == 2
    assert "PROBE_KINDD: no such setting" in log
    assert "Traceback" not in log


def test_a_process_whose_loop_stands_still_ends_with_3_and_tells_where(tmp_path: Path) -> None:
    process = start(tmp_path, PROBE_KIND="blocks", LOOP_LIMIT_SECONDS="0.6")
    _, log = process.communicate(timeout=20)

    assert process.returncode == 3
    assert "loop blocked" in log
    assert "probe.py" in log


def test_a_process_that_was_frozen_as_a_whole_goes_on(tmp_path: Path) -> None:
    process = start(tmp_path, LOOP_LIMIT_SECONDS="0.6")
    assert first_line(process) == "open"

    process.send_signal(signal.SIGSTOP)
    time.sleep(3.0)  # the time is the fact: longer than the limit and than what the watchdog takes for a beat
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)

    assert process.returncode == 0
