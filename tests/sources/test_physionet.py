"""PTB-XL over http: a local server in PhysioNet's layout, with the faults that servers and networks have."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecgimn.errors import SourceError
from ecgimn.sources.physionet import Patience, PhysioNetFiles, Progress, open_physionet
from tests.sources.physionet_server import RECORD, Server, one_record, record_files, with_sums

HURRY = Patience(connect_s=2, read_s=0.5, file_s=5)


@pytest.fixture
def server(monkeypatch):
    """A server with one record at both rates, its tables and its sums; pooch's waiting is cut short."""
    import pooch.core

    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=lambda seconds: None))
    running = Server(with_sums(one_record()))
    yield running
    running.close()


def test_a_record_comes_on_demand_and_is_cached(server, tmp_path):
    source = open_physionet(tmp_path, base_url=server.url)
    assert not (tmp_path / "records100").exists()
    assert source.rates(1) == (100, 500)
    recording = source.recording(1, 500)
    assert (recording.n_samples, recording.age, recording.source) == (5000, 56, "PTB-XL")
    before = len(server.requests)
    assert open_physionet(tmp_path, base_url=server.url).recording(1, 500).digest == recording.digest
    assert len(server.requests) == before


def test_what_is_cached_is_read_without_a_network(server, tmp_path):
    digest = open_physionet(tmp_path, base_url=server.url).recording(1, 100).digest
    server.close()
    source = open_physionet(tmp_path, base_url=server.url)
    assert source.recording(1, 100).digest == digest
    with pytest.raises(SourceError, match="cannot be reached"):
        source.recording(1, 500)


def test_the_tables_are_fetched_once_and_then_known_to_be_there(server, tmp_path):
    files = PhysioNetFiles(tmp_path, base_url=server.url)
    assert not files.has_tables
    files.fetch_tables()
    assert files.has_tables
    assert [name for name, _ in server.requests] == ["SHA256SUMS.txt", "ptbxl_database.csv", "scp_statements.csv"]
    assert not PhysioNetFiles(tmp_path, base_url=server.url + "/other").has_tables  # another mirror has its own list


def test_progress_is_reported_up_to_the_last_byte(server, tmp_path):
    seen: list[Progress] = []
    open_physionet(tmp_path, base_url=server.url, progress=seen.append).recording(1, 500)
    last = [step for step in seen if step.name.endswith("_hr.dat")][-1]
    assert last.n_bytes == last.total_bytes == 120_000


def test_a_missing_file_is_named_at_once(server, tmp_path):
    source = open_physionet(tmp_path, base_url=server.url)
    server.faults[f"{RECORD}.dat"] = [404]
    with pytest.raises(SourceError, match="404"):
        source.recording(1, 100)
    assert [name for name, _ in server.requests].count(f"{RECORD}.dat") == 1
    assert source.recording(1, 100).n_samples == 1000


def test_a_server_that_is_busy_for_a_moment_is_asked_again(server, tmp_path):
    source = open_physionet(tmp_path, base_url=server.url)
    server.faults[f"{RECORD}.dat"] = [503, 503]
    assert source.recording(1, 100).n_samples == 1000
    server.faults["records500/00000/00001_hr.dat"] = [503] * 9
    with pytest.raises(SourceError, match="503"):
        source.recording(1, 500)


def test_a_download_that_breaks_off_goes_on_where_it_stopped(server, tmp_path):
    source = open_physionet(tmp_path, base_url=server.url)
    server.faults["records500/00000/00001_hr.dat"] = [("cut", 70_000)]
    assert source.recording(1, 500).n_samples == 5000
    asked = [asked for name, asked in server.requests if name.endswith("_hr.dat")]
    assert asked == ["", "bytes=70000-"]


def test_what_has_arrived_survives_a_restart(server, tmp_path):
    source = open_physionet(tmp_path, base_url=server.url)
    server.faults["records500/00000/00001_hr.dat"] = [("cut", 70_000), 503, 503, 503]
    with pytest.raises(SourceError, match="503"):
        source.recording(1, 500)
    assert open_physionet(tmp_path, base_url=server.url).recording(1, 500).n_samples == 5000
    assert server.requests[-1] == ("records500/00000/00001_hr.dat", "bytes=70000-")


def test_a_file_with_another_checksum_is_thrown_away(server, tmp_path):
    source = open_physionet(tmp_path, base_url=server.url)
    forged = record_files(RECORD, 1000, 101)[f"{RECORD}.dat"]
    server.faults[f"{RECORD}.dat"] = [forged] * 4
    with pytest.raises(SourceError, match="published checksum"):
        source.recording(1, 100)
    assert not (tmp_path / f"{RECORD}.dat").exists()
    assert source.recording(1, 100).n_samples == 1000


def test_a_cached_file_that_was_changed_is_fetched_again(server, tmp_path):
    source = open_physionet(tmp_path, base_url=server.url)
    digest = source.recording(1, 100).digest
    path = tmp_path / f"{RECORD}.dat"
    path.write_bytes(b"\x00" * 24_000)
    assert source.recording(1, 100).digest == digest


def test_a_slow_answer_is_not_waited_for_forever(server, tmp_path):
    source = open_physionet(tmp_path, base_url=server.url, patience=HURRY)
    server.faults[f"{RECORD}.dat"] = [("slow", 1.5)] * 4
    with pytest.raises(SourceError, match="in time"):
        source.recording(1, 100)
    server.faults[f"{RECORD}.dat"] = [("slow", 1.5)]
    assert source.recording(1, 100).n_samples == 1000


def test_a_server_that_drips_is_given_up(server, tmp_path):
    source = open_physionet(tmp_path, base_url=server.url, patience=Patience(connect_s=2, read_s=2, file_s=0.5))
    server.faults[f"{RECORD}.dat"] = [("drip", 0.1)] * 4
    with pytest.raises(SourceError, match="in time"):
        source.recording(1, 100)


def test_without_a_network_the_message_says_what_to_do(tmp_path, server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SourceError, match="composite cases, or set ECGIMN_PTBXL"):
        open_physionet(tmp_path, base_url=f"http://127.0.0.1:{port}/", patience=HURRY)


@pytest.mark.parametrize(
    "sums",
    [b"", b"<html>Log in</html>", b"\xff\xfe", b"0123 ptbxl_database.csv\n", b"0" * 64 + b" other.csv\n"],
)
def test_a_damaged_list_of_checksums_is_refused_and_not_kept(server, tmp_path, sums):
    good = server.files["SHA256SUMS.txt"]
    server.files["SHA256SUMS.txt"] = sums
    with pytest.raises(SourceError, match="list of checksums"):
        open_physionet(tmp_path, base_url=server.url)
    server.files["SHA256SUMS.txt"] = good
    assert len(open_physionet(tmp_path, base_url=server.url).table) == 1


@pytest.mark.parametrize("name", ["../outside.csv", "/etc/passwd", "records100/../../x", "http://x.org/x", "LICENSE"])
def test_only_listed_plain_paths_are_fetched(server, tmp_path, name):
    server.files["SHA256SUMS.txt"] += f"{'0' * 64} ../outside.csv\n{'0' * 64} /etc/passwd\n".encode()
    files = PhysioNetFiles(tmp_path / "cache", base_url=server.url)
    with pytest.raises(SourceError, match="not in the published list"):
        files.fetch(name)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_a_mirror_and_a_cache_are_settings(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGIMN_PTBXL_URL", server.url)
    monkeypatch.setenv("ECGIMN_CACHE", str(tmp_path))
    assert len(open_physionet().table) == 1
    assert (tmp_path / "ptb-xl-1.0.3" / "ptbxl_database.csv").exists()
    monkeypatch.delenv("ECGIMN_PTBXL_URL")
    assert PhysioNetFiles().base_url == "https://physionet.org/files/ptb-xl/1.0.3/"


@pytest.mark.parametrize("url", ["file:///etc/", "ftp://example.org/", "physionet.org/files", "https://"])
def test_only_web_addresses_are_mirrors(tmp_path, url):
    with pytest.raises(SourceError, match="no web address"):
        PhysioNetFiles(tmp_path, base_url=url)


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(SourceError, match="cache of PTB-XL cannot be written"):
        open_physionet(blocked / "cache", base_url=server.url)


def test_many_threads_fetch_one_file_once(server, tmp_path):
    files = PhysioNetFiles(tmp_path, base_url=server.url)
    threads = [threading.Thread(target=files.fetch, args=(f"{RECORD}.dat",)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [name for name, _ in server.requests].count(f"{RECORD}.dat") == 1
    assert Path(tmp_path / f"{RECORD}.dat").stat().st_size == 24_000
