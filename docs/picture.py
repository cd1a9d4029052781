"""Make docs/demo.webp: the tops of the two pages that `affectory demo` writes, in headless Chromium.

python docs/picture.py data/demo
"""

import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

WIDE, HIGH = 1120, 1200

if __name__ == "__main__":
    demo = Path(sys.argv[1]).resolve()
    # The report's top; of the results, the tables.
    pages = {
        next(demo.glob("datasets/*/*/report.html")): "h1",
        next(demo.glob("results/*/*/results.html")): "h2",
    }
    picture = Image.new("RGB", (2 * WIDE + 24, HIGH), "#b8b8b0")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDE, "height": HIGH})
        for number, (path, top) in enumerate(pages.items()):
            page.goto(path.as_uri())
            page.evaluate("top => document.querySelector(top).scrollIntoView()", top)
            page.wait_for_timeout(300)
            picture.paste(Image.open(BytesIO(page.screenshot())), (number * (WIDE + 24), 0))
        browser.close()
    picture.resize((picture.width * 5 // 8, HIGH * 5 // 8), Image.Resampling.LANCZOS).save(
        Path(__file__).with_name("demo.webp"), quality=80, method=6
    )
