#!/usr/bin/env python3
"""Opens pages of runs in headless Chromium: checks what only a browser can tell, and takes pictures to look at.

    cargo run -- run --out out
    python3 -m venv target/report && target/report/bin/pip install playwright
    target/report/bin/python tests/report/screenshots.py target/report/pictures out/report.html

The browser is the system's (`--browser`, /usr/bin/chromium). A check that fails ends it with status 1.
"""

import argparse
import pathlib

from playwright.sync_api import sync_playwright

WIDTHS = {"desk": 1200, "phone": 400}
PLOT = "figure.chart .plot > svg"


def check(found, expected, what):
    """Ends the script where something is not as it should be."""
    if found != expected:
        raise SystemExit(f"{what}: found {found!r}, expected {expected!r}")


def labels(chart):
    return chart.locator("text.soft").all_text_contents()


def try_a_chart(page):
    """A chart of lines: reading, zoom, reset and legend, by mouse and by keyboard."""
    figure = page.locator("figure.chart", has=page.locator(".legend button")).first
    chart, tip = figure.locator(".plot > svg"), figure.locator(".tip")
    chart.scroll_into_view_if_needed()
    before, box = labels(chart), chart.bounding_box()
    at = lambda share: (box["x"] + box["width"] * share, box["y"] + box["height"] * 0.5)
    page.mouse.move(*at(0.5))
    check(tip.is_visible() and len(tip.locator("span > span").all()) >= 2, True, "the mouse reads values")
    page.mouse.down()
    page.mouse.move(*at(0.6))
    page.mouse.move(*at(0.7))
    page.mouse.up()
    check(labels(chart) != before, True, "a drag zooms")
    check(figure.locator(".reset").is_visible(), True, "a zoomed chart says how to go back")
    page.mouse.dblclick(*at(0.5))
    check(labels(chart), before, "a double click resets")
    drawn = len(chart.locator("path").all())
    figure.locator(".legend button").first.click()
    check(len(chart.locator("path").all()) < drawn, True, "the legend hides a series")
    figure.locator(".legend button").first.click()
    chart.focus()
    page.keyboard.press("ArrowRight")
    first = tip.text_content()
    page.keyboard.press("ArrowRight")
    check(tip.is_visible() and tip.text_content() != first, True, "arrows read values")
    page.keyboard.press("+")
    check(figure.locator(".reset").is_visible(), True, "plus zooms")
    page.keyboard.press("Escape")
    check(labels(chart), before, "Escape resets")


def try_every_chart(page):
    """Each chart takes the mouse and the keyboard without an error."""
    for chart in page.locator(PLOT).all():
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        for share in (0.3, 0.6, 0.9):
            page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] * share)
        chart.focus()
        for key in ("ArrowRight", "ArrowDown", "+", "-", "Escape"):
            page.keyboard.press(key)
        page.mouse.move(0, 0)


def try_page(browser, path, folder):
    """A page in both widths, light and dark, in print, and without its script."""
    for (name, width), scheme in [(size, scheme) for size in WIDTHS.items() for scheme in ("light", "dark")]:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page, errors, asked = context.new_page(), [], []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_function("[...document.querySelectorAll('.plot > svg')].every(svg => svg.hasAttribute('viewBox'))")
        check(page.evaluate("document.documentElement.scrollWidth"), width, f"{path} at {width} px is as wide as the window")
        page.screenshot(path=folder / f"{path.stem}-{name}-{scheme}.png", full_page=True)
        if page.locator(PLOT).count() and scheme == "light":
            try_a_chart(page)
            try_every_chart(page)
        ground = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.locator("#theme").click()
        page.locator("#theme").click()
        dark = ground()
        page.locator("#theme").click()
        check(ground() == dark, scheme == "dark", "the button for colours goes through light, dark and the system's")
        check((errors, asked), ([], [path.as_uri()]), f"{path}: errors, and what was asked for")
        if (name, scheme) == ("desk", "dark"):
            page.pdf(path=folder / f"{path.stem}.pdf", format="A4", print_background=True)
        context.close()
    context = browser.new_context(viewport={"width": 400, "height": 900}, java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    page.screenshot(path=folder / f"{path.stem}-without-script.png", full_page=True)
    context.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=pathlib.Path, help="where pictures go")
    parser.add_argument("pages", type=pathlib.Path, nargs="+", help="pages to open")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
        for path in options.pages:
            try_page(browser, path.resolve(), options.folder)
        browser.close()
    print(f"all checks hold; pictures in {options.folder}")


if __name__ == "__main__":
    main()
