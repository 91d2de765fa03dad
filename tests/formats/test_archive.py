"""ZIP archives: a recording inside is read, what a recording never needs is refused."""

from __future__ import annotations

import io
import stat
import zipfile

import numpy as np
import pytest

from ecgimn.errors import RecordingFormatError
from ecgimn.formats.limits import unzip
from ecgimn.formats.read import read_files


def archive(entries: list[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an archive of the given entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for entry, data in entries:
            file.writestr(entry, data)
    return buffer.getvalue()


def test_a_record_in_a_folder_of_an_archive_is_read(make, ecg):
    entries = [(f"export/{name}", data) for name, data in make.wfdb_files(ecg).items()]
    clutter = [("__MACOSX/export/._case.hea", b"x"), ("export/.DS_Store", b"x"), ("export/", b"")]
    recording = read_files({"ecg.zip": archive([*entries, *clutter])})
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


@pytest.mark.parametrize("name", ["../case.hea", "/etc/case.hea", "a/../../case.hea", "..\\case.hea", "C:\\case.hea"])
def test_paths_are_refused(name):
    with pytest.raises(RecordingFormatError, match="path"):
        unzip(archive([(name, b"x")]))


def test_links_are_refused():
    link = zipfile.ZipInfo("case.dat")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(RecordingFormatError, match="link"):
        unzip(archive([(link, b"/etc/passwd")]))


def test_a_bomb_is_refused_by_its_ratio_and_by_its_size():
    with pytest.raises(RecordingFormatError, match="100 times"):
        unzip(archive([("a", b"\x00" * 10_000_000)]))
    noise = np.random.default_rng(1).bytes(11_000_000)
    with pytest.raises(RecordingFormatError, match="unpacks to 22,000,000 bytes"):
        unzip(archive([("a", noise), ("b", noise)], zipfile.ZIP_STORED))


def test_a_lie_about_the_unpacked_size_is_found_out():
    data = bytearray(archive([("a", np.random.default_rng(1).bytes(200_000))]))
    where = data.rindex(b"PK\x01\x02") + 24
    data[where : where + 4] = (100).to_bytes(4, "little")
    with pytest.raises(RecordingFormatError):
        unzip(bytes(data))


def test_too_many_entries_are_refused():
    with pytest.raises(RecordingFormatError, match="9 files"):
        unzip(archive([(f"{number}", b"x") for number in range(9)]))
    with pytest.raises(RecordingFormatError, match="100 entries"):
        unzip(archive([(f"{number}/", b"") for number in range(100)]))


def test_one_name_in_two_folders_is_refused():
    with pytest.raises(RecordingFormatError, match="twice"):
        unzip(archive([("a/case.hea", b"x"), ("b/case.hea", b"x")]))


def test_an_archive_in_an_archive_is_not_opened(make, ecg):
    inner = make.zip_file(make.wfdb_files(ecg))
    with pytest.raises(RecordingFormatError, match="inside another"):
        read_files({"outer.zip": archive([("inner.zip", inner)])})


def test_damaged_and_encrypted_archives_are_refused(make, ecg):
    data = make.zip_file(make.wfdb_files(ecg))
    with pytest.raises(RecordingFormatError, match="damaged"):
        unzip(data[:-30])
    encrypted = bytearray(data)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[data.index(magic) + offset] |= 1
    with pytest.raises(RecordingFormatError, match="encrypted"):
        unzip(bytes(encrypted))


def test_an_empty_archive_is_refused():
    with pytest.raises(RecordingFormatError):
        read_files({"empty.zip": archive([])})
