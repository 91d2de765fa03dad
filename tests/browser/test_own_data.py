"""One's own files and PTB-XL on demand in a real browser: visitors never meet, nothing of a file stays behind."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from ecgimn.formats.read import read_files
from ecgimn.recording import Recording
from ecgimn.sources.composites.case import load_composite
from tests.browser.conftest import running_app
from tests.browser.visit import ARTIFACTS, VIEWPORT, WAIT_MS, Visit
from tests.formats.synthetic_files import wfdb_files
from tests.sources.physionet_server import Server, ecg_records, with_sums

pytestmark = pytest.mark.browser

LOG = ARTIFACTS / "own-data.log"
ANNA, KARL = "miller_anna_1952", "schulz_karl_1947"


@dataclass(frozen=True)
class Running:
    """An app with folders of its own, beside a server in PhysioNet's layout."""

    address: str
    folders: tuple[Path, ...]
    physionet: Server


@pytest.fixture(scope="module")
def running(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The app without a PTB-XL folder; everything it might write to is a folder of this test."""
    folders = tuple(tmp_path_factory.mktemp(name) for name in ("home", "temp", "cache"))
    physionet = Server(with_sums(ecg_records([load_composite("norm"), load_composite("imi-st")])))
    home, temp, cache = map(str, folders)
    variables = {"ECGIMN_PTBXL": "", "XDG_CONFIG_HOME": "", "ECGIMN_PTBXL_URL": physionet.url, "ECGIMN_CACHE": cache}
    with running_app(Path(home), LOG, None, TMPDIR=temp, **variables) as address:
        yield Running(address, folders, physionet)
    physionet.close()


@contextmanager
def visitor(running: Running, browser: Browser, name: str) -> Iterator[Visit]:
    """A visitor with cookies and a session of their own."""
    context = browser.new_context(viewport={"width": VIEWPORT[0], "height": VIEWPORT[1]})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    visit = Visit(page, running.address, name)
    visit.listen()
    yield visit
    context.close()
    assert visit.errors == []
    assert visit.outside == []


def named_record(recording: Recording, name: str) -> dict[str, bytes]:
    """A WFDB record as a careless clinic would name it, with the patient in its header."""
    return wfdb_files(recording.signal.astype(np.float64), fs=recording.fs, name=name, comments=(f"Name: {name}",))


def upload(visit: Visit, files: dict[str, bytes]) -> str:
    """Open one's own file and return the sum printed for it."""
    page = visit.open()
    visit.chart()
    visit.choose("Kind of case", "Own file")
    page.get_by_role("button", name="Open a file").click()
    chosen = [{"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files.items()]
    page.locator("input[type=file]").set_input_files(chosen)  # type: ignore[arg-type]
    expect(page.get_by_role("button", name=re.compile("case-[0-9a-f]{6}"))).to_be_visible(timeout=WAIT_MS)
    visit.settle()
    return printed_sum(page)


def printed_sum(page: Page) -> str:
    """The sum printed for the class shown."""
    line = page.get_by_text(re.compile(r"logit .* = bias")).first  # folded up under the beats
    expect(line).to_be_attached(timeout=WAIT_MS)
    return line.text_content() or ""


def traces(folders: tuple[Path, ...], words: tuple[bytes, ...]) -> list[str]:
    """Files below the folders, and the log, that hold one of the words in their name or content."""
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [
        str(path)
        for path in [*paths, LOG]
        if any(word in path.name.encode().lower() or word in path.read_bytes() for word in words)
    ]


def test_two_visitors_never_see_each_others_file_and_nothing_of_it_is_left(running: Running, browser: Browser) -> None:
    first, second = named_record(load_composite("norm"), ANNA), named_record(load_composite("imi-st"), KARL)
    pieces = tuple(files[f"{name}.dat"][60_000:60_048] for files, name in ((first, ANNA), (second, KARL)))
    words = (b"miller", b"anna", b"schulz", b"karl", *pieces)
    with visitor(running, browser, "anna") as anna, visitor(running, browser, "karl") as karl:
        sum_of_anna = upload(anna, first)
        sum_of_karl = upload(karl, second)
        assert sum_of_anna != sum_of_karl
        anna.page.keyboard.press("Escape")  # closes the window with the file
        case_of_karl = karl.page.get_by_role("button", name=re.compile("case-")).inner_text()
        anna.page.get_by_role("button", name="Layout").click()  # a rerun after the other's upload
        anna.settle()
        assert printed_sum(anna.page) == sum_of_anna
        assert case_of_karl not in anna.page.content()
        assert "schulz" not in anna.page.content()
        assert "miller" not in karl.page.content()
        assert not re.search("miller|schulz|case-", anna.page.url + karl.page.url)
        anna.keep_screenshot("own-file")
        assert traces(running.folders, words) == []
        with visitor(running, browser, "another") as another:
            page = another.open()
            another.chart()
            another.choose("Kind of case", "Own file")
            expect(page.get_by_text("Open a 12-lead ECG file")).to_be_visible(timeout=WAIT_MS)
            assert "case-" not in page.content()
    time.sleep(2)  # sessions end with their visitors
    assert traces(running.folders, words) == []


def test_a_click_on_a_window_of_a_long_recording_opens_it(running: Running, browser: Browser) -> None:
    composite = load_composite("norm")
    whole = composite.with_signal(np.tile(composite.signal, 3))
    with visitor(running, browser, "windows") as reader:
        page = reader.page
        before = upload(reader, named_record(whole, "long"))
        page.keyboard.press("Escape")
        page.get_by_text("All windows").click()
        expect(page.get_by_text("The windows tile the recording")).to_be_visible(timeout=WAIT_MS)
        reader.settle()
        marker = page.locator(".js-plotly-plot").first.locator(".trace").last.locator(".points path").nth(1)
        marker.wait_for(state="attached")
        box = reader.box(marker)
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=5)
        page.locator(".hoverlayer .hovertext").first.wait_for()  # a click is one on what the pointer was answered for
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(page.get_by_text("Shown: 10 to 20 s of 30 s.")).to_be_visible(timeout=WAIT_MS)
        reader.settle()
        assert printed_sum(page).split(" ")[0] == before.split(" ")[0]  # of the same class
        reader.keep_screenshot()


def test_a_reader_fetches_the_table_and_reads_a_record_at_either_rate(running: Running, browser: Browser) -> None:
    with visitor(running, browser, "on-demand") as reader:
        page = reader.open("/browse")
        assert running.physionet.requests == []
        expect(page.get_by_text("CC BY 4.0").first).to_be_visible(timeout=WAIT_MS)
        reader.keep_screenshot("offer")
        page.get_by_role("button", name="Fetch the table").click()
        expect(page.get_by_text("2 of 2 records")).to_be_visible(timeout=WAIT_MS)
        reader.settle()
        page.get_by_role("button", name="Read a random one").click()
        page.wait_for_url(re.compile(r"record=[12]"), timeout=WAIT_MS)
        reader.settle()
        printed_sum(page)
        reader.choose("Sampling frequency", "100 Hz")
        page.wait_for_url(re.compile(r"fs=100"), timeout=WAIT_MS)
        reader.settle()
        link = page.url.removeprefix(running.address)
        reader.keep_screenshot("record")
    with visitor(running, browser, "with-link") as friend:
        page = friend.open(link)
        friend.chart()
        expect(page.get_by_role("combobox", name="Sampling frequency")).to_have_value("100 Hz", timeout=WAIT_MS)
        printed_sum(page)


def in_memory(server: psutil.Process, words: tuple[bytes, ...]) -> set[tuple[int, bytes]]:
    """Which of the words stand in the memory of the app and of its children, by process."""
    found = set()
    for process in (server, *server.children(recursive=True)):
        with open(f"/proc/{process.pid}/maps", encoding="ascii") as maps:
            ranges = [line.split()[0] for line in maps if line.split()[1].startswith("rw")]
        with open(f"/proc/{process.pid}/mem", "rb", buffering=0) as memory:
            for start, stop in (map(partial(int, base=16), part.split("-")) for part in ranges):
                memory.seek(start)
                try:
                    held = memory.read(stop - start)
                except OSError:  # a mapping that cannot be read, or is gone by now
                    continue
                found |= {(process.pid, word) for word in words if word in held}
    return found


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="memory is read through /proc")
def test_a_forgotten_file_is_in_no_file_and_in_no_memory_of_app_and_reader(running: Running, browser: Browser) -> None:
    recording = load_composite("norm")
    rng = np.random.default_rng(33)
    noisy = recording.with_signal(recording.signal + rng.normal(0, 0.01, recording.signal.shape).astype(np.float32))
    files = named_record(noisy, "zaphod_trillian_1978")
    read = read_files(files)
    words = (
        b"zaphod_trillian",
        files["zaphod_trillian_1978.dat"][60_000:60_048],  # as it was uploaded
        read.signal[3, 2000:2012].tobytes(),  # as it was read
        read.signal[3, 2000:2012].astype(np.float64).tobytes(),  # as it is computed with
    )
    port = f"--server.port={running.address.rsplit(':', 1)[1]}"
    server = next(one for one in psutil.process_iter(["cmdline"]) if port in (one.info["cmdline"] or ()))
    with visitor(running, browser, "forget") as reader:
        upload(reader, files)
        page = reader.page
        assert {word for _, word in in_memory(server, words)} >= set(words[:3])  # where it is open, it is found
        page.keyboard.press("Escape")
        for link in ("What if", "Compare", "Read"):
            page.get_by_role("link", name=link, exact=True).click()
            reader.settle()
        page.get_by_role("button", name=re.compile("case-")).click()
        page.get_by_role("button", name="Forget this file").click()
        expect(page.get_by_text("Open a 12-lead ECG file")).to_be_visible(timeout=WAIT_MS)
        reader.settle()
        time.sleep(2)
        left = in_memory(server, words)
        assert {word for _, word in left} == set()
        assert traces(running.folders, words) == []
