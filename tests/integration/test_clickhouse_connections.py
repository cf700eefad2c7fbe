"""How a server is reached: over TLS, with settings in the URL, one that is too old, one that goes away."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from clickhouse_driver.util.escape import escape_params
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fixtures.clickhouse import Target, new_database, run_node, run_sql
from fixtures.clickhouse_old import find_old_server, run_old_server
from fixtures.lines import make_chunk, make_span, new_trace, now

from mastra_admin_sdk.adapters.observability.clickhouse import ClickHouseStore
from mastra_admin_sdk.adapters.observability.clickhouse.parameters import bind
from mastra_admin_sdk.errors import EngineUnavailable, ObservabilityError


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with run_node(tmp_path_factory.mktemp("node")) as target, new_database(target) as made:
        yield made


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost with its key, which nobody trusts unless told to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begin = datetime.now(UTC) - timedelta(hours=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_port(node: Target, certificate: Path) -> Iterator[int]:
    """A port that takes TLS and passes on what is said to the node."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(plain,)))
            threads[-1].start()

    def serve(plain: socket.socket) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(plain)
            stack.enter_context(contextlib.suppress(OSError))
            inside = stack.enter_context(context.wrap_socket(plain, server_side=True))
            outside = stack.enter_context(socket.create_connection(("127.0.0.1", urlsplit(node.url).port or 0)))
            back = threading.Thread(target=pump, args=(outside, inside))
            back.start()
            pump(inside, outside)
            back.join()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    accepting = threading.Thread(target=accept)
    accepting.start()
    yield int(listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in (accepting, *threads):
        thread.join(10)


def test_a_server_is_reached_over_tls(node: Target, tls_port: int, certificate: Path) -> None:
    parts = urlsplit(node.url)
    address = f"default:{parts.password}@localhost:{tls_port}{parts.path}"
    trusted = ClickHouseStore(f"clickhouses://{address}?ca_certs={certificate}")
    assert trusted.sql("SELECT 1 AS one")["one"].iloc[0] == 1
    same = ClickHouseStore(f"clickhouse://{address}?secure=true&verify=false")
    assert same.status()["running"] is True
    with pytest.raises(EngineUnavailable, match="certificate verify failed"):
        ClickHouseStore(f"clickhouses://{address}").init()
    trusted.close()
    same.close()


def test_a_url_sets_settings_of_every_query_and_times_of_waiting(node: Target) -> None:
    store = ClickHouseStore(f"{node.url}?max_threads=1&connect_timeout=3&client_name=mine")
    assert store.sql("SELECT getSetting('max_threads') AS n")["n"].iloc[0] == 1
    store.insert([make_chunk(make_span("ended", trace := new_trace(), "s1", now(), 1))])
    assert len(store.trace(trace)) == 1
    store.close()


def test_a_wrong_password_and_a_database_that_is_not_there_are_told(node: Target) -> None:
    wrong = node.url.replace(urlsplit(node.url).password or "", "s3cr3t")
    with pytest.raises(EngineUnavailable, match="refused user or password") as caught:
        ClickHouseStore(wrong).init()
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(ObservabilityError, match="absent") as missing:
        ClickHouseStore(node.url.rpartition("/")[0] + "/absent").init()
    assert "CREATE DATABASE" in missing.value.hint


@pytest.mark.slow  # two servers are started
def test_a_server_that_goes_away_is_told_and_used_again_when_it_is_back(tmp_path: Path) -> None:
    with run_node(tmp_path / "node") as target:
        store = ClickHouseStore(target.url)
        store.init()
        store.insert([make_chunk(make_span("ended", trace := new_trace(), "s1", now(), 1))])
    with pytest.raises(EngineUnavailable, match="Storing telemetry failed"):
        store.insert([make_chunk(make_span("ended", trace, "s2", now(), 1))])
    with pytest.raises(EngineUnavailable, match="Preparing the telemetry store failed"):
        ClickHouseStore(target.url).init()
    assert store.status()["running"] is False
    with run_node(tmp_path / "node", like=target):
        store.insert([make_chunk(make_span("ended", trace, "s2", now(), 1))])
        assert len(store.trace(trace)) == 2
        store.close()


@pytest.mark.slow  # a server is started
def test_a_server_too_old_for_the_schema_is_refused_with_the_version_it_needs(tmp_path: Path) -> None:
    program = find_old_server()
    if program is None:
        pytest.skip("not tested on a server that is too old: Debian 12's clickhouse-server (18.16) is not installed")
    with run_old_server(program, tmp_path / "old") as target:
        store = ClickHouseStore(target.url)
        assert str(store.status()["version"]).startswith("18.16")
        for _ in range(2):
            with pytest.raises(ObservabilityError, match=r"has version 18\.16, which is too old") as caught:
                store.init()
            assert "24.3" in caught.value.hint
        with pytest.raises(ObservabilityError, match="too old"):
            store.insert([make_chunk(make_span("ended", new_trace(), "s1", now(), 1))])
        assert run_sql(target, "SHOW TABLES") == []
        with pytest.raises(EngineUnavailable, match="refused user or password") as refused:
            ClickHouseStore(target.url.replace(":old@", ":s3cr3t@")).init()
        assert "s3cr3t" not in str(refused.value)
        store.close()


@pytest.mark.parametrize(
    "value",
    ["it's", "100%", "a\\b", 'say "x"', "{x:String}", "%(x)s", "tab\tline\nend\r", "é🙂", "'; DROP TABLE x; --", "\\N"],
)
@pytest.mark.parametrize("many", [False, True], ids=["one", "list"])
def test_the_driver_s_form_of_a_value_is_read_by_clickhouse_as_the_value(node: Target, value: str, many: bool) -> None:
    """A server gets values as the driver writes them; what it does with that text first is done here by a query."""
    given = [value, "other"] if many else value
    statement = bind("SELECT %(x)s AS x", {"x": given})
    written = escape_params(statement.values, None, for_server=True)["x"]
    ((received,),) = run_sql(node, f"SELECT {written}")  # the server takes the quotes off like those of a literal
    assert run_sql(node, statement.sql, {"param_x": received}) == [(given,)]
