"""The report of a batch in a browser: it needs nothing else, is sorted by a click, and fits a telephone."""

import shutil

import numpy as np
import pytest

import eventsnn
from eventsnn.datasets.shapes import Shape, record
from eventsnn.pipelines.batch import batch
from eventsnn.pipelines.chain import read_chain

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of two recordings of a disc, one of noise, one with a name that is markup, and one that fails."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "in").mkdir()
    for k in range(2):
        speed = (200.0, 30.0 * k)
        events, _ = record([Shape("circle", 24.0, (30.0, 40.0), speed)], (120, 80), f"{200 + 100 * k}ms")
        eventsnn.write(folder / "in" / f"disc{k}.raw", events)
    t = np.arange(0, 50_000, 100)
    noise = eventsnn.Events(t, t % 119, t % 79, np.ones(len(t), np.uint8), sensor=(120, 80))
    eventsnn.write(folder / "in" / "<b>&noise.raw", noise)
    (folder / "in" / "broken.raw").write_bytes(b"no recording")
    assert batch(read_chain("track-and-report"), [str(folder / "in")], folder / "out", workers=1).exit_code == 1
    return folder / "out" / "report.html"


@pytest.fixture(scope="module")
def browser():
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no chromium with chromedriver on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()


def shown(browser):
    return browser.execute_script(
        "return [...document.querySelectorAll('tbody tr')].filter(e => !e.hidden)"
        ".map(e => e.querySelector('[data-name=recording]').dataset.value)"
    )


def test_it_is_complete_and_alone(browser, page):
    browser.get(page.as_uri())
    assert shown(browser) == ["broken", "<b>&noise", "disc0", "disc1"]
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert (
        browser.execute_script("return [...document.images].map(e => (e.loading = 'eager', e.decode(), 1)).length") == 3
    )
    wide = "const done = arguments[0]; Promise.all([...document.images].map(e => e.decode())).then(() => "
    assert browser.execute_async_script(wide + "done([...document.images].map(e => e.naturalWidth)))") == 3 * [120]
    assert browser.execute_script("return document.querySelectorAll('polyline').length") == 2
    assert browser.execute_script("return document.querySelectorAll('.curve').length") == 3
    assert browser.execute_script("return document.querySelector('.reason').textContent") != ""
    assert browser.execute_script("return document.querySelectorAll('tbody b b').length") == 0


def test_a_click_sorts(browser, page):
    browser.get(page.as_uri())
    for name, order in (("events", ["broken", "<b>&noise", "disc0", "disc1"]), ("recording", None)):
        head = browser.find_element("xpath", f"//th/button[text()='{name}']")
        head.click()
        up = shown(browser)
        assert order is None or up == order
        assert head.find_element("xpath", "..").get_attribute("aria-sort") == "ascending"
        head.click()
        assert shown(browser) == up[::-1]


def test_only_what_is_wanted_is_shown(browser, page):
    browser.get(page.as_uri())
    browser.find_element("css selector", "input[type=search]").send_keys("DISC")
    assert shown(browser) == ["disc0", "disc1"]
    browser.find_element("css selector", "input[type=search]").clear()
    browser.find_element("css selector", "input[type=search]").send_keys("failed")
    assert shown(browser) == ["broken"]


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_goes_beyond_the_screen(browser, page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
