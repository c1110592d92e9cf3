"""Screenshots of the page over the demo's index: the one of the documentation, or all pages to look through.

python -m ops.docs.screenshot                 docs/images/page.png, from demo/demo.db (make demo makes it)
python -m ops.docs.screenshot --all FOLDER    every page at 360, 1280 and 1600 pixels, light and dark
"""

import tempfile
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import click
from PIL import Image
from selenium import webdriver

from ops.docs.browser import ProgramMissing, opened_browser, served
from tagstream.settings import REPOSITORY

PICTURE = REPOSITORY / "docs" / "images" / "page.png"
_WIDTH, _HEIGHT = 1280, 622
_COLOURS = 96
_SHOWN = "/events"
_WIDTHS = (360, 1280, 1600)
_PAGES = {
    "now": "/",
    "trends": "/trends",
    "events": "/events",
    "search": "/search?q=place:tokyo",
    "best": "/search?q=storm&order=relevance",
    "nothing": "/search?q=person:merkle",
    "malformed": "/search?q=" + quote("(storm"),
    "name": "/name?key=tokyo&type=LOC",
    "system": "/system",
    "token": "/token",
}


@click.command()
@click.option("--index", "index", type=click.Path(path_type=Path), default=REPOSITORY / "demo" / "demo.db")
@click.option("--all", "folder", type=click.Path(path_type=Path), help="Every page, into this folder.")
def main(index: Path, folder: Path | None) -> None:
    """Make the screenshot of the documentation, or all that are worth a look."""
    if not index.is_file():
        raise click.ClickException(f"{index} is missing: run `make demo`")
    try:
        with (
            tempfile.TemporaryDirectory() as profile,
            served(index) as address,
            opened_browser(Path(profile)) as browser,
        ):
            if folder is None:
                _save(_shot(browser, address + _SHOWN, _WIDTH, _HEIGHT, "light"), PICTURE)
            else:
                _every_page(browser, address, folder)
    except ProgramMissing as missing:
        raise click.ClickException(str(missing)) from missing


def _every_page(browser: webdriver.Chrome, address: str, folder: Path) -> None:
    browser.get(f"{address}/events")
    first = browser.execute_script("return document.querySelector('main a[href^=\"/event?\"]')?.getAttribute('href')")
    pages = _PAGES | ({"event": str(first)} if first else {})
    for name, path in pages.items():
        for width in _WIDTHS:
            for theme in ("light", "dark"):
                picture = _shot(browser, address + path, width, 1000, theme)
                _save(picture, folder / f"{name}-{width}-{theme}.png")


def _shot(browser: webdriver.Chrome, address: str, width: int, height: int, theme: str) -> Image.Image:
    """Returns what a window of that size shows."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(address)
    return Image.open(BytesIO(browser.get_screenshot_as_png()))


def _save(picture: Image.Image, path: Path) -> None:
    """Saves a picture in few colours, which a page of text has anyway."""
    path.parent.mkdir(parents=True, exist_ok=True)
    reduced = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    reduced.save(path, optimize=True)


if __name__ == "__main__":
    main()
