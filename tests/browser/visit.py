"""One visitor of the running app: where they are, what went wrong in their browser, and where it went."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, FloatRect, Locator, Page, Request, WebSocket, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
CONTRAST = Path(__file__).with_name("contrast.js")
VIEWPORT = (1366, 768)  # the commonest laptop of a hospital
WAIT_MS = 90_000  # patience with a busy machine, no promise: what a page costs is measured elsewhere
# On a link to a page, Streamlit looks for its server below the page's own address first and gets a 404.
PROBES = ("/_stcore/health", "/_stcore/host-config")


def is_local(url: str) -> bool:
    """Whether a request stays on this machine."""
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob", "about") or parts.hostname == "127.0.0.1"


@dataclass
class Visit:
    """One visitor: a page, what went wrong on it, and where it went."""

    page: Page
    address: str
    name: str
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def open(self, path: str = "/") -> Page:
        """Open a page of the app and wait until its script has run."""
        self.page.goto(self.address + path, wait_until="domcontentloaded")
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until the page's script has run to its end."""
        app = self.page.get_by_test_id("stApp")
        expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=WAIT_MS)
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=WAIT_MS)

    def box(self, item: Locator) -> FloatRect:
        """Wait until something is drawn and return its box in pixels; drawn anew at that moment, it has none."""
        for _ in range(WAIT_MS // 100):
            if (found := item.bounding_box(timeout=WAIT_MS)) is not None:
                return found
            self.page.wait_for_timeout(100)
        raise AssertionError(f"never drawn: {item}")

    def choose(self, question: str, *options: str | re.Pattern[str]) -> None:
        """Choose in a list; several options in one that takes several.

        A list that was opened while the script still ran may be drawn anew and closed: then it is opened once more.
        """
        for option in options:
            wanted = self.page.get_by_role("option", name=option, exact=True).first
            for patience in (5_000, 15_000, WAIT_MS):
                self.page.get_by_role("combobox", name=question, exact=True).click()
                try:
                    wanted.click(timeout=patience)
                    break
                except PlaywrightTimeoutError:
                    if patience == WAIT_MS:
                        raise
                    self.page.keyboard.press("Escape")
        self.page.keyboard.press("Escape")

    def chart(self) -> Locator:
        """Wait for the ECG; inner groups of a Plotly chart may never count as visible, so its frame is asked for."""
        self.page.locator(".js-plotly-plot .main-svg").first.wait_for(state="attached")
        return self.page.get_by_test_id("stPlotlyChart").first

    def faint_texts(self) -> list[str]:
        """Return what is fainter than WCAG 2.1 AA asks for, once the charts of the page are there."""
        if self.page.get_by_test_id("stPlotlyChart").count():
            self.chart()
        found: list[str] = self.page.evaluate(CONTRAST.read_text(encoding="utf-8"))
        return found

    def keep_screenshot(self, label: str = "") -> None:
        """Keep a picture of what the visitor sees, named after the test."""
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{self.name}{'-' if label else ''}{label}.png")

    def listen(self) -> None:
        """Begin to collect errors and outside requests; call it before the first page."""

        def note_request(request: Request | WebSocket) -> None:
            if not is_local(request.url):
                self.outside.append(request.url)

        def note_console(message: ConsoleMessage) -> None:
            if message.type == "error" and not message.location["url"].endswith(PROBES):
                self.errors.append(f"console: {message.text}")

        listeners: dict[str, Callable[..., None]] = {
            "request": note_request,
            "websocket": note_request,
            "console": note_console,
            "pageerror": lambda error: self.errors.append(f"page: {error}"),
        }
        for event, listener in listeners.items():
            self.page.on(event, listener)  # type: ignore[call-overload]
