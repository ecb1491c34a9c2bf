"""Tests of infra/local/state.py: the folder of one system."""

import json
import stat
from pathlib import Path

import pytest

from infra.local.state import AlreadyRunning, State


def test_the_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    secret = State(tmp_path).secret()

    assert State(tmp_path).secret() == secret
    assert len(secret) >= 48
    assert stat.S_IMODE((tmp_path / "jwt_secret").stat().st_mode) == 0o600


def test_a_second_system_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with State(tmp_path).held(), pytest.raises(AlreadyRunning, match=r"as process [0-9]+"), State(tmp_path).held():
        pass


def test_the_announcement_lives_as_long_as_the_system(tmp_path: Path) -> None:
    state = State(tmp_path)
    with state.held():
        state.announce({"pid": 7})
        assert json.loads(state.announcement.read_text()) == {"pid": 7}

    assert not state.announcement.exists()


def test_each_user_of_the_broker_has_a_password_that_stays(tmp_path: Path) -> None:
    passwords = {user: State(tmp_path).broker_password(user) for user in ("edge", "operator")}

    assert {user: State(tmp_path).broker_password(user) for user in passwords} == passwords
    assert len(set(passwords.values())) == 2
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "nats_passwords").iterdir()}
    assert modes == {0o600}
