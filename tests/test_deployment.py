"""What is said about running the app elsewhere is true of the code."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecgimn.about import INTENDED_USE, shipped

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
DOCS = sorted((ROOT / "docs").glob("*.md"))
SOURCES = [ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / "ecgimn").rglob("*.py")]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_environment_variable_of_the_code_is_in_the_table_and_no_other():
    table = set(re.findall(r"^\| `(ECGIMN_[A-Z_]+)`", text("docs/deployment.md"), flags=re.MULTILINE))
    used = {name for path in SOURCES for name in re.findall(r'"(ECGIMN_[A-Z_]+)"', path.read_text(encoding="utf-8"))}
    assert table == used


@pytest.mark.parametrize("name", ["Containerfile", "ecgimn-reader.service"])
def test_variables_that_a_deployment_sets_exist(name):
    table = set(re.findall(r"ECGIMN_[A-Z_]+", text("docs/deployment.md")))
    assert set(re.findall(r"ECGIMN_[A-Z_]+", (DEPLOY / name).read_text())) <= table


def test_the_container_runs_as_a_user_without_rights_and_asks_for_its_health():
    lines = (DEPLOY / "Containerfile").read_text()
    assert re.search(r"^USER 10001$", lines, flags=re.MULTILINE)
    assert lines.index("USER 10001") > lines.rindex("RUN ")  # nothing is installed as that user, nothing runs as root
    assert "HEALTHCHECK" in lines
    assert "/_stcore/health" in lines
    assert "--read-only" in lines
    assert "no-new-privileges" in lines
    copied = re.findall(r"^COPY (.+) \S+$", lines, flags=re.MULTILINE)
    assert [name for line in copied for name in line.split() if not (ROOT / name).exists()] == []


def test_the_service_may_write_nowhere_but_its_own_folders():
    lines = (DEPLOY / "ecgimn-reader.service").read_text()
    for setting in ("DynamicUser=yes", "ProtectSystem=strict", "ProtectHome=yes", "NoNewPrivileges=yes"):
        assert setting in lines
    assert "--server.address=127.0.0.1" in lines


def test_the_service_calls_and_reaches_only_what_it_needs_and_keeps_temporary_files_in_memory():
    lines = (DEPLOY / "ecgimn-reader.service").read_text().splitlines()
    for setting in ("IPAddressDeny=any", "IPAddressAllow=localhost", "RuntimeDirectory=ecgimn", "LimitCORE=0"):
        assert setting in lines
    allowed = next(line for line in lines if line.startswith("SystemCallFilter=@system-service"))
    assert {"seccomp", "landlock_restrict_self"} <= set(allowed.split())  # the child's own walls
    environment = " ".join(line for line in lines if line.startswith("Environment="))
    for name in ("HOME", "TMPDIR", "MPLCONFIGDIR"):
        assert f" {name}=%t/ecgimn" in environment


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_the_service_and_finds_it_little_exposed(tmp_path):
    unit = tmp_path / "ecgimn-reader.service"
    lines = (DEPLOY / "ecgimn-reader.service").read_text()
    unit.write_text(lines.replace("/opt/ecgimn/.venv/bin/python", "/bin/true").replace("/opt/ecgimn", "/"))
    checked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert unit.name not in checked.stderr, checked.stderr
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stdout[-300:]


def proxy_locations() -> dict[str, str]:
    """The locations of the proxy that hand requests on, by their path."""
    lines = (DEPLOY / "nginx.conf").read_text()
    found = re.findall(r"^    location (\S+) \{\n(.*?)^    \}", lines, flags=re.MULTILINE | re.DOTALL)
    return dict(found)


@pytest.mark.parametrize("path", ["/", "/_stcore/upload_file/", "/oauth2/"])
def test_the_proxy_takes_away_the_headers_that_a_visitor_could_forge(path):
    """In every location: one that sets any header of its own inherits none."""
    said = proxy_locations()[path]
    assert len(proxy_locations()) == 3
    for header in ("Email", "Groups", "Preferred-Username", "Access-Token"):
        assert f'proxy_set_header X-Forwarded-{header} "";' in said
    name = "$user" if path != "/oauth2/" else '""'
    assert re.search(rf"proxy_set_header X-Forwarded-User\s+{re.escape(name)};", said)
    secret = "$ecgimn_secret" if path != "/oauth2/" else '""'
    assert re.search(rf"proxy_set_header X-Ecgimn-Proxy\s+{re.escape(secret)};", said)
    assert ("auth_request /oauth2/auth;" in said) is (path != "/oauth2/")
    assert "limit_req " in said
    assert "add_header" not in said  # it would drop those of the server


def test_the_proxy_keeps_uploads_off_its_disk_and_addresses_out_of_its_log():
    lines = (DEPLOY / "nginx.conf").read_text()
    assert all("proxy_request_buffering off;" in said for path, said in proxy_locations().items() if path != "/oauth2/")
    (form,) = re.findall(r"^log_format ecgimn '(.*)';", lines, flags=re.MULTILINE)
    assert "$user" in form
    assert not [word for word in ("$request ", "uri", "args", "referer", "remote") if word in form]
    assert re.findall(r"^\s*access_log (.*);", lines, flags=re.MULTILINE) == ["off", "/var/log/nginx/ecg.log ecgimn"]


def test_the_proxy_lets_pages_fetch_nothing_from_elsewhere():
    lines = (DEPLOY / "nginx.conf").read_text()
    (policy,) = re.findall(r'Content-Security-Policy\s+"([^"]+)"', lines)
    assert set(re.findall(r"(?:https?|wss?)://[\w.]+", policy)) == {"wss://ecg.example.org"}
    assert "frame-ancestors 'none'" in policy
    for header in ("Strict-Transport-Security", "X-Content-Type-Options", "Referrer-Policy"):
        assert re.search(rf"^    add_header {header}\s.* always;", lines, flags=re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """The packages that a file pins, by their normal name, and what stands behind "=="."""
    lines = re.findall(r"^([\w.-]+)==([^\s;]+)", text(name), flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in lines}


def test_the_container_installs_the_tested_versions_each_file_by_its_hash():
    lock, constraints = pins("deploy/requirements.lock"), pins("constraints.txt")
    assert {name: version for name, version in lock.items() if constraints.get(name, version) != version} == {}
    assert pins("requirements.txt").items() <= lock.items()
    entries = re.findall(r"^[^\s#].*\n(?:    --hash=.*\n?)*", text("deploy/requirements.lock"), flags=re.MULTILINE)
    assert len(entries) == len(lock)
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry)] == []
    # What constraints.txt does not hold is of another platform than the tests ran on, and says so.
    named = {re.split("==", entry)[0]: entry.splitlines()[0] for entry in entries}
    assert [name for name, line in named.items() if name not in constraints and "sys_platform ==" not in line] == []
    assert "://" not in text("deploy/requirements.lock")
    install = re.search(r"^RUN pip install (.*)$", text("deploy/Containerfile"), flags=re.MULTILINE)
    assert install is not None
    assert {"--require-hashes", "--no-deps", "requirements.lock"} <= set(install[1].split())


def test_models_cases_and_the_app_travel_with_an_installed_package():
    build = tomllib.loads(text("pyproject.toml"))["tool"]["setuptools"]
    packages = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "ecgimn").rglob("__init__.py")}
    assert set(build["packages"]) == packages | {"ecgimn.shipped"}
    assert build["package-dir"] == {"ecgimn.shipped": "."}
    patterns = build["package-data"]["ecgimn.shipped"]
    assert [pattern for pattern in patterns if not list(ROOT.glob(pattern)) and not pattern.endswith(".md")] == []
    travelling = {path for pattern in patterns for path in ROOT.glob(pattern)}
    needed = {path for path in (ROOT / "pages").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    needed |= set((ROOT / "models").glob("*.safetensors")) | set((ROOT / "assets").rglob("*.npz"))
    assert needed <= travelling
    assert (ROOT / "ecgimn" / "py.typed").is_file()


def test_shipped_files_are_found_beside_the_package_or_inside_it(tmp_path):
    assert shipped("models") == ROOT / "models"
    assert shipped() == ROOT
    installed = tmp_path / "site-packages" / "ecgimn"
    (installed / "shipped" / "models").mkdir(parents=True)
    for name in ("__init__", "about"):
        (installed / f"{name}.py").write_text(text(f"ecgimn/{name}.py"), encoding="utf-8")
    code = "from ecgimn.about import shipped; print(shipped('models'))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=installed.parent, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()).resolve() == (installed / "shipped" / "models").resolve()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("No module named pip_audit", 1),
        ("ConnectionError: Max retries exceeded", 1),
        ("No known vulnerabilities found", 0),
        ("No known vulnerabilities found\nx 1.0 could not be audited: not there", 1),
    ],
)
def test_vulnerabilities_that_were_not_looked_up_are_a_failure(monkeypatch, capsys, said, code):
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    audit = importlib.import_module("audit")
    answer = SimpleNamespace(stdout=said, stderr="", returncode=code if code and "audited" not in said else 0)
    monkeypatch.setattr(audit.subprocess, "run", lambda *arguments, **options: answer)
    monkeypatch.setattr(audit, "unknown_licences", lambda: [])
    monkeypatch.setattr(sys, "argv", ["audit.py"])
    assert audit.main() == code
    monkeypatch.setattr(sys, "argv", ["audit.py", "--offline"])
    assert audit.main() == 0
    assert "were not looked up" in capsys.readouterr().out


def test_ci_leaves_a_bill_of_materials_and_says_whether_vulnerabilities_were_looked_up(tmp_path):
    run = text(".ci/run")
    assert re.search(r"^make sbom$", run, flags=re.MULTILINE)
    asked, otherwise = re.findall(r"^    (.*artifacts/audit\.txt)$", run, flags=re.MULTILINE)
    assert asked.startswith("make audit ")
    assert "--offline" in otherwise
    report = tmp_path / "artifacts" / "audit.txt"
    audit = [sys.executable, str(ROOT / ".ci" / "audit.py"), "--offline", "--report", str(report)]
    subprocess.run(audit, check=True, capture_output=True)
    assert report.read_text().endswith("Vulnerabilities were not looked up.\n")
    assert 'AUDIT: "true"' in text(".github/workflows/ci.yml")


def test_licences_are_known_and_the_bill_of_materials_names_every_library(tmp_path):
    audit = [sys.executable, str(ROOT / ".ci" / "audit.py"), "--offline"]
    answer = subprocess.run(audit, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout
    subprocess.run([sys.executable, str(ROOT / ".ci" / "sbom.py"), str(tmp_path / "bill.json")], check=True)
    bill = json.loads((tmp_path / "bill.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    named = {part["name"]: part["version"] for part in bill["components"]}
    assert named["streamlit"] == "1.67.0"


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.stem)
def test_links_between_documents_lead_somewhere(path):
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists() and not (ROOT / link).exists()] == []


def test_every_document_is_in_the_site_and_the_start_says_the_intended_use():
    nav = text("mkdocs.yml")
    assert [name for name in re.findall(r"[\w-]+\.md", nav) if not (ROOT / "docs" / name).is_file()] == []
    for name in ("index", "deployment", "intended-use"):
        assert INTENDED_USE in " ".join(text(f"docs/{name}.md").replace("\n> ", " ").split())
