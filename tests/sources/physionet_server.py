"""A server in PhysioNet's layout on the loopback, with the faults that servers and networks have."""

from __future__ import annotations

import hashlib
import http.server
import threading
import time
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording

STATEMENTS = b",diagnostic,form,rhythm,diagnostic_class,diagnostic_subclass\nNORM,1.0,,,NORM,NORM\n"
TABLE = (
    b"ecg_id,age,sex,strat_fold,scp_codes,filename_lr,filename_hr\n"
    b"1,56.0,1,3,{'NORM': 100.0},records100/00000/00001_lr,records500/00000/00001_hr\n"
)
RECORD = "records100/00000/00001_lr"


def record_files(name: str, n_samples: int, fs: int, signal_mv: NDArray[np.floating] | None = None) -> dict[str, bytes]:
    """Return header and samples of one record as published: noise, or an ECG of shape (12, n_samples)."""
    if signal_mv is None:
        samples = np.random.default_rng(fs).integers(-900, 900, (n_samples, 12)).astype("<i2")
    else:
        samples = np.round(signal_mv.T * 1000).astype("<i2")
    stem = name.rsplit("/", 1)[-1]
    sums = samples.astype(np.int64).sum(axis=0) & 0xFFFF
    lines = [f"{stem} 12 {fs} {n_samples}"]
    for row, lead in enumerate(STANDARD_LEADS):
        lines.append(f"{stem}.dat 16 1000.0(0)/mV 16 0 {samples[0, row]} {sums[row]} 0 {lead.upper()}")
    return {f"{name}.hea": ("\n".join(lines) + "\n").encode(), f"{name}.dat": samples.tobytes()}


def one_record() -> dict[str, bytes]:
    """Return the tables and the one record of a data set of noise."""
    files = {"ptbxl_database.csv": TABLE, "scp_statements.csv": STATEMENTS}
    return files | record_files(RECORD, 1000, 100) | record_files("records500/00000/00001_hr", 5000, 500)


def ecg_records(recordings: Sequence[Recording]) -> dict[str, bytes]:
    """Return a data set of 10 s recordings at 500 Hz, each at both rates; folds 1 to 10 in turn."""
    columns = "ecg_id,age,sex,strat_fold,report,scp_codes,heart_axis,pacemaker,filename_lr,filename_hr"
    files: dict[str, bytes] = {}
    lines = [columns]
    for number, recording in enumerate(recordings, start=1):
        low, high = f"records100/00000/{number:05}_lr", f"records500/00000/{number:05}_hr"
        fold = (number - 1) % 10 + 1
        lines.append(f"{number},{40 + number},{number % 2},{fold},report {number},{{'NORM': 100.0}},MID,,{low},{high}")
        files |= record_files(low, 1000, 100, recording.signal[:, ::5]) | record_files(
            high, 5000, 500, recording.signal
        )
    return files | {"ptbxl_database.csv": "\n".join(lines).encode(), "scp_statements.csv": STATEMENTS}


def with_sums(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files with their list of checksums."""
    sums = "".join(f"{hashlib.sha256(data).hexdigest()} {name}\n" for name, data in files.items())
    return {**files, "SHA256SUMS.txt": sums.encode()}


class Server:
    """Serves files from memory; `faults[path]` lists what goes wrong with the next requests, in order."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.faults: dict[str, list[object]] = defaultdict(list)
        self.requests: list[tuple[str, str]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/files/ptb-xl/1.0.3"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request: int: status; ("cut", n), ("slow", s), ("drip", s): as they say; bytes replace."""
        name = handler.path.removeprefix("/files/ptb-xl/1.0.3/")
        asked = handler.headers.get("Range", "")
        self.requests.append((name, asked))
        fault = self.faults[name].pop(0) if self.faults[name] else None
        body = fault if isinstance(fault, bytes) else self.files.get(name)
        if isinstance(fault, tuple) and fault[0] == "slow":
            time.sleep(fault[1])
        if isinstance(fault, int) or body is None:
            handler.send_error(fault if isinstance(fault, int) else 404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        handler.send_response(206 if asked else 200)
        if asked:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        stop = fault[1] if isinstance(fault, tuple) and fault[0] == "cut" else len(body)
        drip = fault[1] if isinstance(fault, tuple) and fault[0] == "drip" else 0
        try:
            for position in range(start, stop, 100 if drip else len(body)):
                time.sleep(drip)
                handler.wfile.write(body[position : min(stop, position + (100 if drip else len(body)))])
                handler.wfile.flush()
        except OSError:  # the client has given up
            return
        handler.close_connection = True

    def close(self) -> None:
        """Stop serving."""
        self.http.shutdown()
        self.http.server_close()
