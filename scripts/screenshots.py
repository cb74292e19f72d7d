"""Look at a report in a real browser: screenshots at desktop and phone width, light and dark, and the printed pages as PDF.

    python scripts/screenshots.py results/photos/report.html [OUT]

Fails where the page can be moved sideways, where text is too faint or too small, or where the page loads anything. Needs Chromium.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTHS = {"desktop": 1280, "phone": 390}
SCHEMES = ("light", "dark")
HEIGHT = 900
TALLEST = 16_000
"""Pixels of one screenshot; a longer page is cut into several."""
LEAST_CONTRAST = 4.5
"""WCAG 2 level AA, for text of normal size."""
LEAST_TEXT_PIXELS = 8.0
FOLD = "document.querySelectorAll('details').forEach(each => { each.open = OPEN; })"
MEASURE = """
(() => {
  const linear = part => { part /= 255; return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const parts = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const paper = element => {
    for (let each = element; each; each = each.parentElement) {
      const found = parts(getComputedStyle(each).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const faint = {}, small = {};
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    const box = element.getBoundingClientRect();
    if (!own || !box.width || element.tagName === 'title') continue;
    const style = getComputedStyle(element), inDrawing = element.tagName === 'text';
    const [ink, behind] = [light(parts(inDrawing ? style.fill : style.color)), light(paper(element))];
    const contrast = (Math.max(ink, behind) + 0.05) / (Math.min(ink, behind) + 0.05);
    if (contrast < LEAST_CONTRAST) faint[element.textContent.trim().slice(0, 60)] = contrast.toFixed(2);
    const drawing = inDrawing ? element.ownerSVGElement : null;
    const scale = drawing ? drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width : 1;
    const pixels = parseFloat(style.fontSize) * scale;
    if (pixels < LEAST_TEXT) small[element.textContent.trim().slice(0, 60)] = pixels.toFixed(1);
  }
  return {
    width: document.documentElement.scrollWidth, height: document.documentElement.scrollHeight, faint, small,
    loaded: performance.getEntriesByType('resource').map(each => each.name), drawings: document.querySelectorAll('svg').length,
    titles: document.querySelectorAll('svg g title, svg use title').length, tables: document.querySelectorAll('table').length,
  };
})()
"""


class Browser:
    """A headless Chromium that is told what to do over a pipe, in the DevTools protocol."""

    def __init__(self, process: subprocess.Popen[bytes], to_browser: int, from_browser: int) -> None:
        self._process = process
        self._to, self._from = os.fdopen(to_browser, "wb"), os.fdopen(from_browser, "rb")
        self._count = 0
        self._waiting = b""
        self._session: str | None = None

    def open(self, address: str) -> None:
        """Load a page and wait until it has been laid out."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Page.navigate", url=address)
        while self._message().get("method") != "Page.loadEventFired":
            pass

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the browser's answer. Raises RuntimeError where it refuses."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while (answer := self._message()).get("id") != self._count:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return dict(answer["result"])

    def close(self) -> None:
        self._session = None
        self.call("Browser.close")
        self._to.close()
        self._from.close()
        self._process.wait(timeout=20)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._waiting:
            part = os.read(self._from.fileno(), 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            self._waiting += part
        message, _, self._waiting = self._waiting.partition(b"\0")
        return dict(json.loads(message))


@contextmanager
def browser(command: str) -> Iterator[Browser]:
    """Yield a browser with a profile of its own, which is removed."""
    commands, to_browser = os.pipe()
    from_browser, answers = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
        ]
        # The protocol's descriptors are 3 and 4; a shell puts them there after everything else is set up.
        script = f'exec "$0" "$@" 3<&{commands} 4>&{answers}'
        process = subprocess.Popen(["bash", "-c", script, command, *flags], pass_fds=(commands, answers), stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        found = Browser(process, to_browser, from_browser)
        try:
            yield found
        finally:
            found.close()


def measure(page: Browser) -> dict[str, Any]:
    """Return the page's size, and its text that is too faint or too small, as the browser has laid it out."""
    script = MEASURE.replace("LEAST_CONTRAST", str(LEAST_CONTRAST)).replace("LEAST_TEXT", str(LEAST_TEXT_PIXELS))
    found: dict[str, Any] = page.call("Runtime.evaluate", expression=script, returnByValue=True)["result"]["value"]
    return found


def look(page: Browser, name: str, width: int, scheme: str, out: Path) -> tuple[list[str], dict[str, Any]]:
    """Write screenshots of the page at this width; return what is wrong with it, its tables unfolded too, and what was measured."""
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=width < 600)
    page.call("Runtime.evaluate", expression=FOLD.replace("OPEN", "true"))
    unfolded = measure(page)
    page.call("Runtime.evaluate", expression=FOLD.replace("OPEN", "false"))
    found = measure(page)
    for number, top in enumerate(range(0, found["height"], TALLEST), 1):
        clip = {"x": 0, "y": top, "width": width, "height": min(TALLEST, found["height"] - top), "scale": 1}
        image = page.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        (out / f"{name}-{scheme}-{number}.png").write_bytes(base64.b64decode(image))
    wrong = [f"text of contrast {contrast}: {text}" for text, contrast in unfolded["faint"].items()]
    wrong += [f"text of {pixels} pixels: {text}" for text, pixels in unfolded["small"].items()]
    wrong += [f"loads {address}" for address in found["loaded"]]
    wrong += [f"{each['width']} pixels wide: it can be moved sideways" for each in (found, unfolded) if each["width"] > width]
    return [f"{name}, {scheme}: {each}" for each in wrong], found


def print_pages(page: Browser, out: Path) -> int:
    """Write the page as it is printed; return the bytes."""
    page.call("Emulation.setEmulatedMedia", media="", features=[])
    page.call("Emulation.clearDeviceMetricsOverride")
    printed = base64.b64decode(page.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])
    (out / "printed.pdf").write_bytes(printed)
    return len(printed)


def main() -> int:
    """Return 0 where the page is in order, 1 where it is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("out", type=Path, nargs="?", help="where the pictures go; beside the report, in screenshots/, where not said")
    arguments = parser.parse_args()
    command = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if command is None:
        print("no Chromium here: install chromium, as with apt-get install chromium", file=sys.stderr)
        return 2
    out: Path = arguments.out or arguments.report.parent / "screenshots"
    out.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    with browser(command) as page:
        page.open(arguments.report.resolve().as_uri())
        for name, width in WIDTHS.items():
            for scheme in SCHEMES:
                more, measured = look(page, name, width, scheme, out)
                wrong += more
                size = f"{width} × {measured['height']} pixels"
                print(f"{name}, {scheme}: {size}, {measured['drawings']} drawings, {measured['titles']} tooltips")
        print(f"printed: {print_pages(page, out):,} bytes")
    print(f"{arguments.report.stat().st_size:,} bytes of HTML; pictures in {out}")
    for each in wrong:
        print(each, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
