"""What is said about running the app elsewhere is true of the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

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


def test_the_proxy_takes_away_the_headers_that_a_visitor_could_forge():
    lines = (DEPLOY / "nginx.conf").read_text()
    assert 'proxy_set_header X-Forwarded-User  "";' in lines
    assert "auth_request /oauth2/auth;" in lines


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
