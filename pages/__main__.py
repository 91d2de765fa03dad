"""Loads what the first page needs and starts the app: `python -m pages [STREAMLIT OPTIONS]`.

`streamlit run app.py` starts the same app; its first visitor then waits for what is loaded here.
"""

from __future__ import annotations

import sys
from pathlib import Path

from streamlit import runtime
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

from pages.ui import preload

APP = Path(__file__).resolve().parents[1] / "app.py"

if not runtime.exists():
    PagesManager.uses_pages_directory = False  # else a first visit by a link would run that page without app.py
    preload.libraries()
    preload.begin()
    sys.argv = ["streamlit", "run", str(APP), *sys.argv[1:]]
    sys.exit(cli.main(prog_name="streamlit"))
