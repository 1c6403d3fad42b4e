"""The HTML report in a headless Chromium, opened from disk. Skipped where there is no Chromium."""

import math

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


def test_the_filter_of_criteria_finds_refuted_ones_of_all_verdicts(visit):
    page = visit()
    page.value("document.querySelector('input[name=criteria][value=refuted]').click()")
    page.wait_for("location.hash.includes('criteria=refuted')")
    found = page.value(SHOWN)
    failed = page.value(
        "[...document.querySelectorAll('[data-verdict=\"not reproduced\"].claim')].length"
    )
    assert len(found) > failed > 0
    has_refuted = "!!document.getElementById('{}').querySelector('td .badge[data-verdict=refuted]')"
    assert all(page.value(has_refuted.format(anchor)) for anchor in found)
    page.value("document.querySelector('table.counts tr:last-child td:last-child a').click()")
    page.wait_for("location.hash === '#claims?criteria=refuted'")
    cell = "document.querySelector('table.counts tr:last-child td:last-child').textContent"
    assert int(page.value(cell)) == len(found)


def test_a_search_finds_findings_and_opens_their_list(visit):
    page = visit()
    point = "document.querySelector('.points li')"
    words = " ".join(page.value(f"{point}.textContent").split()[:6])
    page.value(f"location.hash = 'claims?words=' + encodeURIComponent({words!r})")
    page.wait_for(f"{point}.closest('details').open")
    assert page.value(f"{point}.hidden") is False
    assert page.value(f"{point}.closest('.paper').hidden") is False
    page.value("location.hash = 'claims'")
    page.wait_for(f"!{point}.closest('details').open")
    assert page.value("document.querySelectorAll('.points li[hidden]').length") == 0


def test_a_search_takes_words_from_their_start_and_ignores_thousands_separators(visit):
    page = visit()
    assert page.value("searchFor('10,000 Gradi')(plainText('Gradients after 10000 steps'))")
    assert page.value("searchFor('10000')(plainText('after 10,000 steps'))")
    assert not page.value("searchFor('form')(plainText('information'))")
    assert not page.value("searchFor('86')(plainText('92.86'))")


def test_an_unknown_value_in_the_address_is_named(visit):
    page = visit("#compare?dataset=cifar1000")
    page.wait_for("document.getElementById('compare-count').textContent.includes('cifar1000')")
    page.value("location.hash = 'claims?verdict=refused'")
    page.wait_for("document.getElementById('claim-count').textContent.includes('refused')")


def test_an_unknown_claim_is_named_and_shows_those_that_begin_with_it(visit):
    page = visit("#haber2017-4")
    page.wait_for("document.getElementById('claim-count').textContent.includes('#haber2017-4')")
    shown = page.value(SHOWN)
    assert len(shown) > 1
    assert all(anchor.startswith("haber2017-4") for anchor in shown)


def test_the_filter_of_kept_data_asks_for_all_that_is_chosen(visit):
    page = visit("#compare?kept=curves,spectra")
    page.wait_for(DRAWN)
    has_both = "({ lines }) => 'spectrum_last' in lines && 'train_loss' in lines"
    expected = page.value(f"report.configurations.filter({has_both}).length")
    assert page.value("document.querySelectorAll('#table tbody tr').length") == expected > 0
    links = page.value("[...document.querySelectorAll('.views a')].map((one) => one.hash)")
    assert any("kept=curves,spectra" in link for link in links)


def test_a_value_without_configurations_names_the_filter_that_hides_it(visit):
    page = visit("#compare?dataset=digits&origin=compare/quick&metric=test_accuracy")
    page.wait_for(DRAWN)
    box = 'input[name=origin][value="haber2017/quick"]'
    count = f"document.querySelector('{box} ~ .count').textContent"
    assert int(page.value(count)) > 0
    page.value("location.hash = 'compare?dataset=copy'")
    page.wait_for(f"{count}.includes('Data set')")


def test_filters_come_back_with_their_section_and_show_all_keeps_ticks(visit):
    page = visit("#compare?dataset=digits&family=plain&metric=gradient_ratio")
    page.wait_for(DRAWN)
    page.value("document.querySelector('#table input').click()")
    page.wait_for("location.hash.includes('run=')")
    address = page.value("location.hash")
    page.value("document.querySelector('#link-claims').click()")
    page.wait_for("location.hash === '#claims'")
    page.value("document.querySelector('#link-compare').click()")
    page.wait_for(f"location.hash === {address!r}")
    page.wait_for("!document.getElementById('section-compare').hidden")
    page.value("document.getElementById('show-all').click()")
    page.wait_for("location.hash.includes('all=1')")
    params = page.value("readAddress().params")
    assert params["metric"] == ["gradient_ratio"]
    assert len(params["run"]) >= 1
    assert "family" not in params


def test_a_link_with_ticked_rows_opens_at_them_but_a_tick_does_not_scroll(visit):
    page = visit("#compare")
    page.wait_for(DRAWN)
    page.value("document.querySelector('.views a[href*=\"run=\"]').click()")
    place = "document.getElementById('side-by-side').getBoundingClientRect().top"
    page.wait_for(f"{place} > 40 && {place} < 200")
    page.value("window.scrollTo(0, 0)")
    page.value("document.querySelector('#table input').click()")
    page.wait_for("document.querySelectorAll('#charts svg').length > 1")
    assert page.value("window.scrollY") < 100


def test_a_gradient_ratio_is_sorted_by_its_distance_from_one_first(visit):
    page = visit("#compare?dataset=digits&origin=compare/quick&metric=gradient_ratio")
    page.wait_for(DRAWN)
    page.value("document.querySelector('#table th:nth-child(5) button').click()")
    page.wait_for("location.hash.includes('sort=')")
    page.wait_for("document.querySelector('#table th:nth-child(5)').ariaSort === 'other'")
    texts = page.value(
        "[...document.querySelectorAll('#table tbody tr')].map((row) => row.cells[4].textContent)"
    )
    distances = [abs(math.log(float(text.split()[0]))) for text in texts if text]
    assert distances == sorted(distances)


def test_escape_closes_a_filter_and_family_stays_in_sight(visit, browser):
    browser.set_window(400)
    page = visit("#compare")
    page.wait_for(DRAWN)
    page.value("document.querySelector('#compare-choices details').open = true")
    page.value("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }))")
    assert page.value("document.querySelectorAll('.filter[open]').length") == 0
    page.value("document.getElementById('table').scrollLeft = 600")
    for column in (2, 3):
        cell = f"document.querySelector('#table tbody tr').cells[{column}]"
        assert 0 <= page.value(f"{cell}.getBoundingClientRect().left") < 330


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
    page.value("document.querySelector('a[href=\"#findings-compare\"]').click()")
    page.wait_for("document.querySelector('.pictures').open")
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
