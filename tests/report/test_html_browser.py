"""The HTML report in a headless Chromium, opened from disk. Skipped where there is no Chromium."""

import pytest
from headless_browser import Browser, find_chromium

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium on this machine (apt-get install chromium)"
)
SHOWN = "[...document.querySelectorAll('.claim:not([hidden])')].map((one) => one.id)"
DRAWN = "document.querySelectorAll('#by-depth svg').length > 0"
MAIN = "[...document.querySelectorAll('main > section:not([hidden])')].map((one) => one.id)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(find_chromium(), tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def visit(browser, committed_page):
    """visit(hash): the browser at this address. Afterwards nothing has gone wrong."""
    browser.problems.clear()
    browser.requests.clear()
    browser.set_window(1280)

    def go(place=""):
        browser.open(f"{committed_page.as_uri()}{place}")
        return browser

    yield go
    assert browser.problems == []
    assert [
        name for name in browser.requests if not name.startswith(("file:", "data:", "about:"))
    ] == []


def test_it_opens_in_less_than_two_seconds_of_processor_time(visit, browser):
    browser.call("Performance.enable", timeDomain="threadTicks")
    visit()
    metrics = browser.call("Performance.getMetrics")["metrics"]
    times = {metric["name"]: metric["value"] for metric in metrics}
    assert 0 < times["TaskDuration"] < 2
    assert browser.value(MAIN) == ["section-claims"]


def test_filters_of_claims_change_the_address_and_links_set_them(visit):
    page = visit()
    everything = page.value(SHOWN)
    page.value("document.querySelector('input[name=verdict][value=\"not reproduced\"]').click()")
    page.wait_for("location.hash.includes('verdict=not%20reproduced')")
    failed = page.value(SHOWN)
    assert 0 < len(failed) < len(everything)
    verdicts = (
        "[...document.querySelectorAll('.claim:not([hidden])')].map((one) => one.dataset.verdict)"
    )
    assert set(page.value(verdicts)) == {"not reproduced"}
    page.value("document.querySelector('table.counts a[href*=theorem]').click()")
    page.wait_for("location.hash.includes('theorem')")
    assert set(page.value(SHOWN)).isdisjoint(failed)


def test_a_search_for_words_skips_what_all_claims_have(visit):
    page = visit("#claims?words=diverged")  # the title of a column
    page.wait_for("document.getElementById('claim-count').textContent.length > 0")
    assert len(page.value(SHOWN)) < page.value("document.querySelectorAll('.claim').length") / 2


def test_another_section_starts_at_its_top(visit):
    page = visit()
    page.value("window.scrollTo(0, 5000)")
    page.value("document.querySelector('nav a[href=\"#help\"]').click()")
    page.wait_for("location.hash === '#help' && window.scrollY < 100")


def test_the_comparison_shows_the_figures_of_what_was_found(visit):
    page = visit("#compare")
    page.wait_for(DRAWN)
    page.value("document.querySelector('.pictures').open = true")
    page.wait_for("document.querySelector('.pictures img').naturalWidth > 100")
    assert page.value("document.querySelectorAll('.pictures li').length") > 2


def test_a_ninth_row_is_refused_and_settings_of_all_rows_are_named_once(visit):
    page = visit("#compare?dataset=digits&origin=compare/quick&purpose=results&depth=64")
    page.wait_for(DRAWN)
    box = "[...document.querySelectorAll('#table input')].find((one) => !one.checked)"
    for count in range(page.value("document.querySelectorAll('#table input:checked').length"), 8):
        page.value(f"{box}.click()")
        page.wait_for(f"document.querySelectorAll('#table input:checked').length === {count + 1}")
    address = page.value("location.hash")
    page.value(f"{box}.click()")
    page.wait_for("!document.getElementById('full').hidden")
    assert page.value("location.hash") == address
    assert page.value("document.querySelectorAll('#table input:checked').length") == 8


def test_an_address_of_a_claim_opens_it_with_its_figure(visit):
    page = visit("#chang2018-5a")
    page.wait_for("document.getElementById('chang2018-5a').open")
    page.wait_for("document.querySelector('#chang2018-5a img').naturalWidth > 100")
    assert page.value("document.querySelector('#chang2018-5a img').alt.length") > 20
    assert page.value("document.activeElement.parentElement.id") == "chang2018-5a"
    top = page.value("document.getElementById('chang2018-5a').getBoundingClientRect().top")
    assert -5 <= top < 200


def test_a_claim_links_to_its_trainings(visit):
    page = visit("#chang2018-5a")
    page.value("document.querySelector('#chang2018-5a a[href^=\"#compare\"]').click()")
    page.wait_for(DRAWN)
    assert page.value(MAIN) == ["section-compare"]
    assert page.value("document.querySelectorAll('#table tbody tr').length") > 1


def test_a_view_of_the_comparison_comes_back_from_its_address(visit):
    page = visit("#compare?dataset=swiss_roll&family=plain,resnet&depth=64&metric=gradient_ratio")
    page.wait_for(DRAWN)
    cells = (
        "[...document.querySelectorAll('#table tbody tr')].map((row) => row.cells[{}].textContent)"
    )
    assert set(page.value(cells.format(1))) == {"swiss_roll"}
    assert set(page.value(cells.format(2))) == {"plain", "resnet"}
    assert set(page.value(cells.format(3))) == {"64"}
    common = page.value("document.getElementById('common').textContent")
    assert all(text not in common for text in page.value(cells.format(6)))
    assert page.value("document.querySelector('[name=metric]').value") == "gradient_ratio"
    page.value("document.querySelector('#table input').click()")
    page.wait_for("location.hash.includes('run=')")
    page.wait_for("document.querySelectorAll('#charts svg').length > 1")
    page.value("document.getElementById('seeds').click()")
    page.wait_for("location.hash.includes('seeds=1')")
    page.wait_for("document.querySelectorAll('#charts svg').length > 1")


def test_charts_have_alternative_texts_and_numbers(visit):
    page = visit("#compare?dataset=swiss_roll&family=plain&depth=64")
    page.wait_for("document.querySelectorAll('#charts svg').length > 1")
    labels = page.value(
        "[...document.querySelectorAll('[role=graphics-document]')].map((one) => one.ariaLabel)"
    )
    assert labels[0].startswith("test accuracy by depth. ")
    assert all(len(label) > 60 for label in labels)
    page.value("document.querySelector('#charts details').open = true")
    page.wait_for("document.querySelectorAll('#charts details td').length > 4")


def test_a_filter_without_runs_says_what_there_is(visit):
    page = visit("#compare?dataset=digits&family=plain&depth=63")
    page.wait_for("document.getElementById('compare-count').textContent.includes('depths')")


@pytest.mark.parametrize("place", ["", "#compare?family=plain", "#help"])
def test_a_phone_needs_no_sideways_scrolling(visit, browser, place):
    browser.set_window(400)
    page = visit(place)
    if place.startswith("#compare"):
        page.wait_for(DRAWN)
    assert page.value("document.documentElement.scrollWidth") <= 400


def test_dark_follows_the_system_and_the_switch(visit, browser):
    browser.set_window(1280, scheme="dark")
    page = visit()
    assert page.value("document.documentElement.dataset.theme") == "dark"
    page.value("document.getElementById('theme').click()")
    assert page.value("document.documentElement.dataset.theme") == "light"
    page.value("localStorage.clear()")
