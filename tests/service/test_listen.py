"""An engine that other machines use: who has a key comes in, is served fairly, and is shut out when it is removed."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from painterly_engine.service.runner import DEFAULT_FACTORY
from painterly_protocol import keys, paths, remote, wire
from painterly_protocol.client import EngineClient, connect
from painterly_protocol.errors import ErrorCode
from painterly_protocol.keyring import Keyring
from painterly_protocol.launcher import ensure_engine
from painterly_protocol.messages import EngineMessage, Failure, Hello, Queued, Result
from painterly_protocol.remote import Ticket
from painterly_protocol.request import Parameters
from support import jobs
from support.failing import caught
from support.fake_engine import wait_until
from support.ports import reserved_port
from support.real_engine import RealEngine, harmonized, lines, outcome
from support.relay import Relay

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX owners and modes")

HERE = f"198.18.{os.getpid() % 256}.1"  # this machine's end of a cable to another; two test runs have one each


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    monkeypatch.setenv("PAINTERLY_KEYS_DIR", str(tmp_path / "keys"))
    return Keyring()


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as reserved:
        yield reserved


@pytest.fixture
def ticket(keyring: Keyring, port: int) -> Ticket:
    return keyring.add("ada", f"127.0.0.1:{port}")


@pytest.fixture
def engine(tmp_path: Path, ticket: Ticket) -> Iterator[RealEngine]:
    """Listens for ``ticket`` beside its own folder."""
    address = ticket.endpoint.removeprefix("tcp://")
    with RealEngine(tmp_path, "--listen", address, "--cancel-grace", "0.5") as running:
        yield running


def machine_of(ticket: Ticket, folder: Path) -> Path:
    """A runtime folder on the client's machine."""
    remote.use(ticket, folder)
    return folder


@pytest.fixture
def ada(engine: RealEngine, ticket: Ticket, tmp_path: Path) -> Iterator[EngineClient]:
    with connect(machine_of(ticket, tmp_path / "ada"), timeout_s=30) as client:
        assert client.welcome.pid == engine.process.pid
        yield client


def test_a_ticket_opens_the_door_and_the_own_folder_stays_open(engine: RealEngine, ada: EngineClient) -> None:
    assert harmonized(ada.run(jobs.request()))
    with engine.connect() as own:
        assert harmonized(own.run(jobs.request()))


def test_every_program_follows_the_ticket_and_starts_no_engine_of_its_own(
    engine: RealEngine, ada: EngineClient, tmp_path: Path
) -> None:
    with ensure_engine(["/must/not/be/started"], tmp_path / "ada") as client:
        assert client.welcome.pid == engine.process.pid
    ada.close()
    engine.kill()
    with caught(ErrorCode.ENGINE_ABSENT) as error:
        ensure_engine(["/must/not/be/started"], tmp_path / "ada")
    assert "127.0.0.1:" in error.value.sentence
    assert "painterly keys leave" in error.value.advice


@pytest.mark.usefixtures("engine")
def test_who_has_no_key_a_wrong_one_or_half_of_one_stays_outside(ticket: Ticket) -> None:
    stranger = keys.KeyPair.new()
    assert _admitted(ticket)
    assert not _admitted(None, ticket.endpoint), "without any key"
    assert not _admitted(replace(ticket, client_public_key=stranger.public, client_secret_key=stranger.secret))
    assert not _admitted(replace(ticket, client_secret_key=stranger.secret)), "with half a key"
    assert not _admitted(replace(ticket, server_key=stranger.public)), "with another engine's key"


def _admitted(ticket: Ticket | None, endpoint: str = "") -> bool:
    """Whether a Hello is answered; False once the engine has refused the handshake or hung up."""
    context = zmq.Context()
    knocking = context.socket(zmq.DEALER)
    if ticket is not None:
        pair = keys.KeyPair(ticket.client_public_key, ticket.client_secret_key)
        keys.guard_client(knocking, ticket.server_key, pair)
    try:
        verdicts = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        monitor = knocking.get_monitor_socket(verdicts | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
        knocking.connect(ticket.endpoint if ticket else endpoint)
        knocking.send_multipart(wire.encode(Hello("stranger")))
        wait_until(lambda: monitor.poll(10))
        admitted = recv_monitor_message(monitor)["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED
        return admitted and bool(knocking.poll(30_000))
    finally:
        context.destroy(linger=0)


@pytest.mark.usefixtures("engine")
def test_a_client_that_was_never_let_in_is_told_so(ticket: Ticket, tmp_path: Path) -> None:
    stranger = keys.KeyPair.new()
    forged = replace(ticket, client_public_key=stranger.public, client_secret_key=stranger.secret)
    with caught(ErrorCode.NOT_ADMITTED) as error:
        connect(machine_of(forged, tmp_path / "forger"), timeout_s=30)
    assert "keeper" in error.value.advice


@pytest.mark.usefixtures("engine")
def test_an_eavesdropper_reads_nothing(ticket: Ticket, tmp_path: Path) -> None:
    overheard = bytearray()
    with Relay(int(ticket.endpoint.rpartition(":")[2]), overheard) as relay:
        machine = machine_of(replace(ticket, endpoint=f"tcp://127.0.0.1:{relay.port}"), tmp_path / "relayed")
        with connect(machine, timeout_s=30) as client:
            assert harmonized(client.run(jobs.request(), job_id="a-conspicuous-id"))
    assert len(overheard) > 3 * jobs.WIDTH * jobs.HEIGHT * 3, "the relay heard the conversation"
    assert b"conspicuous" not in overheard
    assert bytes([jobs.COMPOSITE_SAMPLE]) * 20 not in overheard
    assert ticket.client_secret_key.encode() not in overheard


@pytest.mark.usefixtures("engine")
def test_an_impostor_learns_nothing(ticket: Ticket, tmp_path: Path) -> None:
    """Somebody at the engine's address without its secret key cannot make a client talk."""
    context = zmq.Context()
    impostor = context.socket(zmq.ROUTER)
    keys.guard_server(impostor, keys.KeyPair.new())
    port = impostor.bind_to_random_port("tcp://127.0.0.1")
    try:
        machine = machine_of(replace(ticket, endpoint=f"tcp://127.0.0.1:{port}"), tmp_path / "fooled")
        with caught(ErrorCode.ENGINE_ABSENT):
            connect(machine, timeout_s=1.0)
        assert not impostor.poll(0)
    finally:
        context.destroy(linger=0)


@pytest.mark.usefixtures("engine")
def test_a_removed_key_shuts_its_holder_out_at_once(
    ada: EngineClient, keyring: Keyring, ticket: Ticket, tmp_path: Path
) -> None:
    job_id = ada.submit(jobs.request(f"hold:{tmp_path / 'never'}"))
    wait_until(lambda: ada.status(30).running == job_id)
    keyring.remove("ada")
    ended = outcome(ada, job_id)
    assert isinstance(ended, Failure)
    assert ended.code == ErrorCode.CANCELLED.value
    with caught(ErrorCode.NOT_ADMITTED):
        ada.run(jobs.request())
    with caught(ErrorCode.NOT_ADMITTED):
        connect(tmp_path / "ada", timeout_s=30)
    assert not _admitted(ticket)


def test_a_name_with_a_new_key_shuts_the_old_keys_holder_out(
    ada: EngineClient, keyring: Keyring, ticket: Ticket, tmp_path: Path
) -> None:
    """As a keeper does whose client has lost its ticket: the connection a thief may have is none of the new Ada's."""
    job_id = ada.submit(jobs.request(f"hold:{tmp_path / 'never'}"))
    wait_until(lambda: ada.status(30).running == job_id)
    keyring.remove("ada")
    replaced = keyring.add("ada", ticket.endpoint.removeprefix("tcp://"))
    ended = outcome(ada, job_id)
    assert isinstance(ended, Failure)
    assert ended.code == ErrorCode.CANCELLED.value
    with connect(machine_of(replaced, tmp_path / "new"), timeout_s=30) as new:
        assert harmonized(new.run(jobs.request()))


def bound_files(pid: int, most: int) -> None:
    """From now on the process may open ``most`` files and connections, as under a small limit."""
    import resource

    _soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, hard))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_strangers_who_take_every_line_keep_others_out_but_end_nothing(ticket: Ticket, tmp_path: Path) -> None:
    address, hold = ticket.endpoint.removeprefix("tcp://"), tmp_path / "hold"
    engine = RealEngine(tmp_path, "--listen", address)
    bound_files(engine.process.pid, 100)
    with engine, connect(machine_of(ticket, tmp_path / "ada"), timeout_s=30) as ada:
        job_id = ada.submit(jobs.request(f"hold:{hold}"))
        wait_until(lambda: ada.status(30).running == job_id)
        with contextlib.ExitStack() as strangers:
            for _ in range(150):
                strangers.enter_context(socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))))
            wait_until(lambda: len(list(Path(f"/proc/{engine.process.pid}/fd").iterdir())) >= 99)
            assert ada.status(30).running == job_id
        hold.touch()
        assert harmonized(outcome(ada, job_id))
        with engine.connect() as another:
            assert harmonized(another.run(jobs.request()))


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_address_is_an_address(tmp_path: Path, keyring: Keyring, port: int) -> None:
    ticket = keyring.add("ada", f"[::1]:{port}")
    with (
        RealEngine(tmp_path, "--listen", f"[::1]:{port}"),
        connect(machine_of(ticket, tmp_path / "ada"), timeout_s=30) as client,
    ):
        assert harmonized(client.run(jobs.request()))


@pytest.mark.usefixtures("engine")
def test_a_key_made_later_needs_no_restart(keyring: Keyring, port: int, tmp_path: Path) -> None:
    with connect(machine_of(keyring.add("bob", f"127.0.0.1:{port}"), tmp_path / "bob"), timeout_s=30) as bob:
        assert harmonized(bob.run(jobs.request()))


def test_guests_see_only_their_own_jobs_and_cannot_stop_the_engine(
    engine: RealEngine, ada: EngineClient, tmp_path: Path
) -> None:
    with engine.connect() as own:
        hold = tmp_path / "hold"
        request = jobs.request(f"hold:{hold}")
        job_id = own.submit(request)
        wait_until(lambda: own.status(30).running == job_id)
        for attempt in (lambda: ada.submit(request, job_id), lambda: ada.cancel(job_id), ada.shutdown):
            attempt()
            wait_until(lambda: any(_refused(message) for message in ada.events(0.1)))
        hold.touch()
        assert harmonized(outcome(own, job_id))
        ada.submit(request, job_id)
        wait_until(lambda: any(_refused(message) for message in ada.events(0.1)))
    assert engine.process.poll() is None


def _refused(message: EngineMessage) -> bool:
    return isinstance(message, Failure) and message.code == ErrorCode.BAD_REQUEST.value


def test_secrets_are_in_no_command_line_environment_or_log(
    engine: RealEngine, ada: EngineClient, keyring: Keyring, ticket: Ticket
) -> None:
    ada.run(jobs.request())
    seen = [engine.log(), *(file.read_text() for file in engine.log_dir.iterdir())]
    for name in ("cmdline", "environ"):
        seen.append(Path(f"/proc/{engine.process.pid}/{name}").read_bytes().decode("latin-1"))
    for secret in (ticket.client_secret_key, keyring.own().secret):
        assert all(secret not in text for text in seen)
    assert {"client": "ada"}.items() <= engine.events("job-queued")[-1].items()


@pytest.mark.parametrize(
    ("address", "reason"),
    [("nonsense", "no address"), ("192.0.2.1:5599", "cannot listen"), ("127.0.0.1:1", "")],
)
@pytest.mark.usefixtures("ticket")
def test_a_door_that_cannot_be_opened_is_said(tmp_path: Path, address: str, reason: str) -> None:
    if not reason:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            ended = _serve(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}")
        reason = "cannot listen"
    else:
        ended = _serve(tmp_path, address)
    assert ended.returncode == 1
    assert reason in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.usefixtures("keyring")
def test_without_keys_there_is_no_door(tmp_path: Path, port: int) -> None:
    ended = _serve(tmp_path, f"127.0.0.1:{port}")
    assert ended.returncode == 1
    assert "there are no keys" in ended.stderr
    assert "painterly keys add" in ended.stderr
    assert not (paths.keys_dir() / "engine.json").exists()


def _serve(folder: Path, address: str) -> subprocess.CompletedProcess[str]:
    engine = RealEngine(folder, "--listen", address)
    engine.process.wait(60)
    return subprocess.run(engine.command, env=engine.environment, capture_output=True, text=True, check=False)


# ---------------------------------------------------------------- one engine, several artists


@pytest.fixture
def bob(keyring: Keyring, port: int) -> Ticket:
    return keyring.add("bob", f"127.0.0.1:{port}")


def test_users_take_turns_however_many_programs_one_of_them_opens(
    engine: RealEngine, ticket: Ticket, bob: Ticket, tmp_path: Path
) -> None:
    machines = [machine_of(each, tmp_path / name) for name, each in (("a", ticket), ("b", bob))]
    hold, ran = tmp_path / "hold", tmp_path / "ran"
    with contextlib.ExitStack() as open_programs:
        first, *others = [open_programs.enter_context(connect(machines[0], timeout_s=30)) for _ in range(4)]
        first.submit(jobs.request(f"hold:{hold}"))
        wait_until(lambda: first.status(30).running)
        for program in others:
            program.submit(jobs.request(f"note:{ran}"))
            wait_until(lambda program=program: any(isinstance(m, Queued) for m in program.events(0.1)))
        with connect(machines[1], timeout_s=30) as late:
            place: list[int] = []
            late.submit(jobs.request())
            wait_until(lambda: place.extend(m.position for m in late.events(0.1) if isinstance(m, Queued)) or place)
            assert place[0] == 0, "Bob's first job comes before Ada's second"
            hold.touch()
            wait_until(lambda: any(isinstance(m, Result) for m in late.events(0.1)))
        wait_until(lambda: len(lines(ran)) == 3)
    assert [event["client"] for event in engine.events("job-queued")] == ["ada"] * 4 + ["bob"]


@pytest.mark.parametrize(
    ("option", "says"), [(("--hourly-pixels", "900"), "0.0009 million"), (("--hourly-seconds", "1.5"), "1.5 seconds")]
)
def test_a_user_who_has_had_an_hours_share_is_refused_and_others_are_not(
    tmp_path: Path, ticket: Ticket, bob: Ticket, option: tuple[str, str], says: str
) -> None:
    address = ticket.endpoint.removeprefix("tcp://")
    with (
        RealEngine(tmp_path, "--listen", address, *option) as engine,
        connect(machine_of(ticket, tmp_path / "a"), timeout_s=30) as ada,
        connect(machine_of(bob, tmp_path / "b"), timeout_s=30) as other,
        engine.connect() as keeper,
    ):
        for _ in range(2):
            assert harmonized(ada.run(jobs.request("for:0.8")))  # one takes less than the share on a busy machine too
        with caught(ErrorCode.QUEUE_FULL) as error:
            ada.run(jobs.request())
        assert says in error.value.sentence
        assert "Try again in about" in error.value.advice
        assert ada.status(30).details["hourly_quota"] == {option[0].removeprefix("--hourly-"): float(option[1])}
        assert harmonized(other.run(jobs.request()))
        for _ in range(4):
            assert harmonized(keeper.run(jobs.request("for:0.4"))), "the keeper has no quota"


def test_every_picture_counts_and_one_that_is_more_than_an_hours_share_is_told_so(
    tmp_path: Path, ticket: Ticket
) -> None:
    """A style picture of any size cost nothing, and a job of more than the share was to try again, for ever."""
    address, picture = ticket.endpoint.removeprefix("tcp://"), jobs.WIDTH * jobs.HEIGHT
    with (
        RealEngine(tmp_path, "--listen", address, "--hourly-pixels", str(19 * picture)) as engine,
        connect(machine_of(ticket, tmp_path / "a"), timeout_s=30) as ada,
        engine.connect() as keeper,
    ):
        plain, wide = jobs.request(), 10 * jobs.WIDTH
        styled = replace(plain, style=jobs.flat(3, 9, wide), style_mask=jobs.flat(1, 255, wide))
        with caught(ErrorCode.OVER_LIMIT) as error:
            ada.run(styled)
        assert "one user in an hour" in error.value.sentence
        assert harmonized(ada.run(replace(plain, loose_mask=plain.mask)))
        assert harmonized(ada.run(replace(plain, style=jobs.flat(3, 9, wide))))
        with caught(ErrorCode.QUEUE_FULL):
            ada.run(plain)
        assert keeper.status(30).details["users"]["ada"]["pixels_this_hour"] == (4 + 13) * picture
        assert harmonized(keeper.run(styled))


def test_guests_name_networks_and_ask_for_no_files(tmp_path: Path, ticket: Ticket) -> None:
    """What an engine said of a path told them which files its machine has."""
    address, there = ticket.endpoint.removeprefix("tcp://"), tmp_path / "secret"
    there.write_text("of the keeper's")
    with (
        RealEngine(tmp_path, "--listen", address, runner=DEFAULT_FACTORY) as engine,
        connect(machine_of(ticket, tmp_path / "a"), timeout_s=30) as ada,
        engine.connect() as keeper,
    ):
        said = set()
        for path in (there, tmp_path / "no-such", f"caffe:{there}", "secret", "../weights/slim", "slim_decoders"):
            with caught(ErrorCode.BAD_REQUEST) as error:
                ada.run(jobs.request(str(path)))
            said.add(str(error.value))
        assert len(said) == 1 and "by its name only" in said.pop()
        with caught(ErrorCode.WEIGHTS_CORRUPT):
            keeper.run(jobs.request(str(there)))
        named = replace(jobs.request(), parameters=Parameters(preset="instant", weights="slim"))
        assert ada.run(named).metadata["network"] == keeper.run(named).metadata["network"]


def test_each_user_sees_only_their_own_part_and_the_keeper_sees_all(
    engine: RealEngine, ada: EngineClient, bob: Ticket, tmp_path: Path
) -> None:
    hold = tmp_path / "hold"
    job_id = ada.submit(jobs.request(f"hold:{hold}"))
    wait_until(lambda: ada.status(30).running == job_id)
    with connect(machine_of(bob, tmp_path / "b"), timeout_s=30) as other, engine.connect() as keeper:
        other.submit(jobs.request())
        wait_until(lambda: ada.status(30).queued == 1)
        seen = {name: client.status(30) for name, client in (("ada", ada), ("bob", other), ("keeper", keeper))}
        assert [seen[name].running for name in ("ada", "bob", "keeper")] == [job_id, None, job_id]
        users = {name: status.details["users"] for name, status in seen.items()}
        assert [list(users[name]) for name in ("ada", "bob", "keeper")] == [["ada"], ["bob"], ["ada", "bob"]]
        assert users["keeper"]["ada"]["running"] == users["keeper"]["bob"]["waiting"] == 1
        assert users["bob"]["bob"]["pixels_this_hour"] == 3 * jobs.WIDTH * jobs.HEIGHT, "painting, composite, mask"
        assert not {"last_job", "workers", "jobs_ended"} & seen["bob"].details.keys()
        hold.touch()
        assert harmonized(outcome(ada, job_id))


# ---------------------------------------------------------------- separate machines, as far as one machine can be two


@pytest.fixture
def other_machine() -> Iterator[str]:
    """A network namespace with an interface of its own, joined to this one's by a cable; its name."""
    name, far, near = f"painterly-{os.getpid()}", f"{HERE.removesuffix('1')}2/30", f"{HERE}/30"
    cable = (f"pt{os.getpid() % 10**6}a", f"pt{os.getpid() % 10**6}b")
    try:
        for command in (
            f"ip netns add {name}",
            f"ip link add {cable[0]} type veth peer name {cable[1]} netns {name}",
            f"ip addr add {near} dev {cable[0]}",
            f"ip link set {cable[0]} up",
            f"ip -n {name} addr add {far} dev {cable[1]}",
            f"ip -n {name} link set {cable[1]} up",
        ):
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no second network namespace can be had here: {done.stderr.strip()}")
        yield name
    except FileNotFoundError:
        pytest.skip("there is no “ip” here")
    finally:
        if shutil.which("ip"):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
            subprocess.run(["ip", "link", "del", cable[0]], capture_output=True, check=False)


def test_an_artist_on_another_machine_is_served_over_the_network(
    tmp_path: Path, keyring: Keyring, port: int, other_machine: str
) -> None:
    ticket = keyring.add("ada", f"{HERE}:{port}")
    program = (
        "import sys, pathlib; from painterly_protocol.client import connect; from support import jobs; "
        "from support.real_engine import harmonized\n"
        "with connect(pathlib.Path(sys.argv[1]), timeout_s=30) as client:\n"
        "    print(harmonized(client.run(jobs.request())))"
    )
    with RealEngine(tmp_path, "--listen", f"{HERE}:{port}") as engine:
        machine = machine_of(ticket, tmp_path / "ada")
        command = ["ip", "netns", "exec", other_machine, sys.executable, "-c", program, str(machine)]
        done = subprocess.run(command, env=engine.environment, capture_output=True, text=True, check=False)
        assert done.stdout == "True\n", done.stderr
        assert engine.events("job-queued")[0]["client"] == "ada"
