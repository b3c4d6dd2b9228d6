"""Keys and tickets: owner-only files, one copy of each secret, nothing trusted that others could have written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from painterly_protocol import paths, remote, runtime
from painterly_protocol.errors import ErrorCode
from painterly_protocol.keyring import Keyring
from painterly_protocol.remote import Ticket
from support.failing import caught

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX owners and modes")


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys")


@pytest.fixture
def ticket(keyring: Keyring) -> Ticket:
    return keyring.add("ada", "gpu-box:5599")


def test_a_ticket_holds_what_its_client_needs_and_the_keyring_no_secret_of_it(keyring: Keyring, ticket: Ticket) -> None:
    assert (ticket.endpoint, ticket.name) == ("tcp://gpu-box:5599", "ada")
    assert ticket.server_key == keyring.own().public
    assert keyring.names() == {ticket.client_public_key: "ada"}
    files = [file for file in keyring.folder.rglob("*") if file.is_file()]
    assert len(files) == 2
    assert all(ticket.client_secret_key not in file.read_text() for file in files)
    assert ticket.client_secret_key not in repr(ticket)


def test_the_engines_own_key_stays(keyring: Keyring) -> None:
    own = keyring.own()
    assert Keyring(keyring.folder).own() == own
    assert own.secret not in repr(own)


def test_keys_are_listed_and_removed(keyring: Keyring, ticket: Ticket) -> None:
    keyring.add("bob", "gpu-box:5599")
    assert [client.name for client in keyring.clients()] == ["ada", "bob"]
    keyring.remove("ada")
    assert list(keyring.names().values()) == ["bob"]
    with caught(ErrorCode.BAD_REQUEST):
        keyring.remove("ada")
    assert keyring.add("ada", "gpu-box:5599").client_public_key != ticket.client_public_key


@pytest.mark.parametrize("name", ["ada", "", "../evil", "a/b", ".hidden", "x" * 41, "a b", "ä"])
@pytest.mark.usefixtures("ticket")
def test_a_name_that_is_taken_or_none_is_refused(keyring: Keyring, name: str) -> None:
    before = keyring.names()
    with caught(ErrorCode.BAD_REQUEST) as error:
        keyring.add(name, "gpu-box:5599")
    assert error.value.advice
    assert keyring.names() == before


@pytest.mark.parametrize("address", ["", "gpu-box", ":5599", "gpu-box:0", "gpu-box:99999", "tcp://gpu-box:1", "a b:1"])
def test_an_address_that_is_none_is_refused_and_leaves_no_key(keyring: Keyring, address: str) -> None:
    with caught(ErrorCode.BAD_REQUEST):
        keyring.add("ada", address)
    assert keyring.names() == {}


def test_everything_is_for_its_owner_only(keyring: Keyring, ticket: Ticket, tmp_path: Path) -> None:
    file = remote.use(ticket, tmp_path / "run")
    for path in (*keyring.folder.rglob("*"), keyring.folder, file, file.parent):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("text", ["", "{", "[]", '{"public": 1}', '{"public": "x"}', '{"secret": "x"}'])
@pytest.mark.usefixtures("ticket")
def test_a_damaged_key_opens_nothing_and_is_said(keyring: Keyring, text: str) -> None:
    keyring.add("bob", "gpu-box:5599")
    (keyring.folder / "clients" / "ada.json").write_text(text)
    assert list(keyring.names().values()) == ["bob"]
    with caught(ErrorCode.UNSAFE_FOLDER) as error:
        keyring.clients()
    assert "ada.json" in error.value.sentence


@pytest.mark.usefixtures("ticket")
def test_a_key_that_others_could_have_written_opens_nothing(keyring: Keyring) -> None:
    (keyring.folder / "clients" / "ada.json").chmod(0o622)
    assert keyring.names() == {}
    (keyring.folder / "engine.json").chmod(0o640)
    with caught(ErrorCode.UNSAFE_FOLDER):
        keyring.own()


# ---------------------------------------------------------------- tickets


def test_a_ticket_in_the_runtime_folder_leads_elsewhere_until_it_is_left(ticket: Ticket, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert remote.in_use(folder) is None
    remote.use(ticket, folder)
    assert remote.in_use(folder) == ticket
    info = runtime.find(folder)
    assert (info.endpoint, info.client_secret_key) == ("tcp://gpu-box:5599", ticket.client_secret_key)
    assert remote.leave(folder)
    assert not remote.leave(folder)
    with caught(ErrorCode.ENGINE_ABSENT):
        runtime.find(folder)


def test_a_ticket_others_can_read_is_not_used(ticket: Ticket, tmp_path: Path) -> None:
    file = tmp_path / "ticket"
    remote.write_ticket(file, ticket)
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    with caught(ErrorCode.UNSAFE_FOLDER) as error:
        remote.read_ticket(file)
    assert "chmod" in error.value.advice


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "ipc://engine.sock"},
        {"endpoint": "tcp://gpu-box"},
        {"server_key": "short"},
        {"client_secret_key": "ä" * 40},
        {"name": 7},
        {"more": "x"},
    ],
)
def test_what_is_no_ticket_is_said(ticket: Ticket, tmp_path: Path, change: dict[str, object]) -> None:
    file = tmp_path / "ticket"
    remote.write_ticket(file, ticket)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(Exception, match=r"not a ticket|no address") as error:
        remote.read_ticket(file)
    assert error.value.advice  # type: ignore[attr-defined]


def test_nothing_is_left_of_a_ticket_that_could_not_be_written(ticket: Ticket, tmp_path: Path) -> None:
    with caught(ErrorCode.UNREADABLE_FILE):
        remote.write_ticket(tmp_path / "nowhere" / "ticket", ticket)
    assert list(tmp_path.glob("**/*ticket*")) == []


def test_keys_have_a_folder_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAINTERLY_KEYS_DIR", "/elsewhere/keys")
    assert paths.keys_dir() == Path("/elsewhere/keys")
    assert Keyring().folder == Path("/elsewhere/keys")
