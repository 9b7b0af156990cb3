"""The page in a real browser: headless Chromium."""

import json

import pytest

NUMBERS = """
(() => [...document.querySelectorAll("#%s tbody tr")].map(
  (row) => row.cells[%d].dataset.key === undefined ? null : Number(row.cells[%d].dataset.key)))()
"""


@pytest.fixture
def opened(chromium, page, tmp_path):
    """The page in the browser, on a desktop's screen."""
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    size = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    chromium.call("Emulation.setDeviceMetricsOverride", **size)
    chromium.open(path.as_uri())
    return chromium


def numbers(browser, table, column):
    return browser.run(NUMBERS % (table, column, column))


def head(table, column):
    return f"#{table} thead th:nth-child({column + 1}) button"


def order(browser, table, column):
    selector = f"#{table} thead th:nth-child({column + 1})"
    return browser.run(f"document.querySelector({json.dumps(selector)}).getAttribute('aria-sort')")


def test_the_console_is_silent_and_nothing_comes_from_outside(opened, tmp_path):
    opened.run("for (const one of document.querySelectorAll('thead button')) one.click()")
    loud = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
    assert [one for one in opened.events if one.get("method") in loud] == []
    asked = [
        one["params"]["request"]["url"]
        for one in opened.events
        if one.get("method") == "Network.requestWillBeSent"
    ]
    assert [one for one in asked if not one.startswith("data:")] == [
        (tmp_path / "report.html").as_uri()
    ]


def test_the_page_forbids_scripts_and_loads_of_others(opened):
    """What would be heard if a name became markup all the same."""
    opened.run(
        "(() => { const one = document.createElement('script'); one.textContent = 'window.bad = 1';"
        "document.body.append(one); const two = new Image(); two.src = 'https://example.com/x.png';"
        "document.body.append(two); })()"
    )
    assert opened.run("window.bad === undefined")
    told = [
        one["params"]["entry"]["text"]
        for one in opened.events
        if one.get("method") == "Log.entryAdded"
    ]
    assert len(told) == 2
    assert all("Content Security Policy" in one for one in told)


def test_a_click_on_a_header_sorts(opened):
    column = 5  # total cycles
    before = numbers(opened, "layers-0", column)
    assert before != sorted(before)
    for expected, told in (
        (sorted(before), "ascending"),
        (sorted(before, reverse=True), "descending"),
        (before, "none"),
    ):
        opened.click(head("layers-0", column))
        assert numbers(opened, "layers-0", column) == expected
        assert order(opened, "layers-0", column) == told
    opened.click(head("layers-0", column))
    opened.click(head("layers-0", 0))
    assert order(opened, "layers-0", column) == "none"
    names = "[...document.querySelectorAll('#layers-0 tbody th')].map((one) => one.textContent)"
    assert opened.run(names) == sorted(opened.run(names))


def test_what_is_not_known_comes_last(opened):
    found = []
    for _ in range(2):
        opened.click(head("points-0", 4))
        found.append(numbers(opened, "points-0", 4))
    ascending, descending = found
    assert ascending[-1] is descending[-1] is None
    assert ascending[:-1] == sorted(ascending[:-1]) == descending[-2::-1]


def test_the_keyboard_sorts(opened):
    opened.run(f"document.querySelector({head('headline', 1)!r}).focus()")
    for key, code, told in (("Enter", 13, "ascending"), (" ", 32, "descending")):
        opened.press(key, code)
        assert order(opened, "headline", 1) == told


@pytest.mark.parametrize(("mode", "dark"), [("light", False), ("dark", True)])
def test_light_and_dark_follow_the_system(opened, mode, dark):
    features = [{"name": "prefers-color-scheme", "value": mode}]
    opened.call("Emulation.setEmulatedMedia", features=features)
    lightness = (
        "(() => { const [ground, ink] = %s.map((one) => getComputedStyle(one[0])[one[1]]"
        ".match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0)); return ground < ink; })()"
    )
    page = "[[document.body, 'backgroundColor'], [document.body, 'color']]"
    assert opened.run(lightness % page) is dark
    figure = "[[document.body, 'backgroundColor'], [document.querySelector('svg text'), 'fill']]"
    assert opened.run(lightness % figure) is dark
    opened.call("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_no_wider_than_its_screen(opened, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    opened.call("Emulation.setDeviceMetricsOverride", **size)
    assert opened.run("document.documentElement.scrollWidth") <= width


def test_what_is_folded_is_printed(opened):
    closed = "document.querySelectorAll('details:not([open])').length"
    before = opened.run(closed)
    assert before > 0
    opened.run("dispatchEvent(new Event('beforeprint'))")
    assert opened.run(closed) == 0
    opened.run("dispatchEvent(new Event('afterprint'))")
    assert opened.run(closed) == before
    assert len(opened.call("Page.printToPDF")["data"]) > 10_000


def test_a_link_into_what_is_folded_unfolds_it(opened):
    folded = "document.querySelectorAll('#provenance > details')"
    opened.run(f"{folded}.forEach((one) => {{ one.open = false; }})")
    opened.run(
        "new Promise((done) => { addEventListener('hashchange', () => done(true));"
        "document.querySelector('#spent-0 tbody a').click(); })"
    )
    assert opened.run("document.querySelector(location.hash).closest('section > details').open")
