"""A store for each test, in SQLite, and where a test asks for it in a real PostgreSQL of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecgimn.study.store import Store, open_store

SERVER_USER = "postgres"  # PostgreSQL refuses to run as root


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store in a file."""
    opened = open_store(f"sqlite:///{tmp_path / 'studies.sqlite'}")
    yield opened
    opened.close()


def server_programs() -> Path | None:
    """Folder of the newest PostgreSQL server on this machine."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """Address of a private PostgreSQL, started for the tests and removed after them."""
    programs = server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server found (Debian: apt install postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is missing (pip install -r requirements-dev.txt)")
    user = SERVER_USER if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="ecgimn-pg-"))  # not below pytest's own folder, which is root's alone
    if user is not None:
        shutil.chown(folder, user, user)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
    identity = {"user": user, "group": user, "extra_groups": []} if user else {}
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "ecgimn", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True, capture_output=True, cwd=folder, env=environment, **identity,
    )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", folder,
         "-c", "max_connections=60"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, env=environment, **identity,
    )  # fmt: skip
    try:
        ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"]
        deadline = time.monotonic() + 300
        while subprocess.run(ready, check=False).returncode != 0:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail("PostgreSQL did not start")
            time.sleep(0.1)
        yield f"postgresql://ecgimn@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(timeout=120)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_store(postgresql_url: str) -> Iterator[Store]:
    """A store in PostgreSQL; what earlier tests left there does not matter, studies have uids of their own."""
    opened = open_store(postgresql_url)
    yield opened
    opened.close()
