"""Opens a page of `proving trace open` in Chromium, several times, and prints as JSON for each the ms from the
start of the navigation to the first screen with events on it."""

import json
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]


def main():
    page_path, samples = Path(sys.argv[1]), int(sys.argv[2])
    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        for _ in range(samples):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(page_path.as_uri())
            page.locator("html[data-painted]").wait_for(state="attached")
            times.append(page.evaluate("performance.getEntriesByName('painted')[0].startTime"))
            page.close()
        browser.close()
    print(json.dumps(times))


main()
