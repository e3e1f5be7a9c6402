"""The page that people look at, in a real browser, made by the real DAG from real samples."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from ..browser import CHROMIUM, DRIVER, Browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver: apt-get install chromium-driver"),
]

TEN_MB = 10_000_000


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.driver.quit()


@pytest.fixture
def report(ran, browser) -> Path:
    """Open the page of Experiment 1 in its results folder."""
    browser.open(ran.folder / "results" / "exp1.html")
    return ran.folder / "results"


@pytest.fixture(scope="module")
def pages(ran) -> Path:
    """Make the pages of the recipes and of the ablations too."""
    result = ran.bash("snakemake --cores 2 results/recipes.html results/ablations.html")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return ran.folder / "results"


def cell(browser, table: str, row: str, column: int):
    """The nth number of a row of one of the full tables."""
    region = f'[aria-label="{table}"]'
    return next(r for r in browser.all(f"{region} tbody tr") if r.text.startswith(row)).find_elements("css selector", "td")[
        column
    ]


def test_it_is_one_small_file_that_fetches_nothing_and_logs_nothing(report, browser):
    page = report / "exp1.html"
    assert page.stat().st_size < TEN_MB
    assert browser.console() == []
    urls = [url for url in browser.fetched() if not url.startswith("data:")]
    assert set(urls) == {page.as_uri()}
    assert browser.script("return document.documentElement.lang") == "en"
    assert browser.driver.title.startswith("FCR, Experiment 1: ")


def test_the_first_screen_says_every_verdict(report, browser):
    criteria = pd.read_csv(report / "exp1_criteria.csv")
    fcr = criteria[criteria["variation"] == "FCR(0.10)-FD-3"]["verdict"].value_counts()
    met, missed, unclear = (fcr.get(verdict, 0) for verdict in ("met", "not met", "inconclusive"))
    headline, cells = browser.one("h1"), browser.all("table.verdicts td")
    assert headline.text == f"FCR(0.10)-FD-3 meets {met} of 5 criteria; {missed} not met, {unclear} inconclusive."
    # By criterion, then by variation, as the grid is read.
    by_line = [table["verdict"].tolist() for _, table in criteria.groupby("criterion", sort=False)]
    assert [c.find_element("tag name", "strong").text[2:] for c in cells] == [verdict for line in by_line for verdict in line]
    for element in (headline, *cells):
        assert element.is_displayed() and element.rect["y"] + element.rect["height"] <= 800
    memory = criteria.query("criterion.str.startswith('peak')", engine="python")["value"].iloc[0]
    assert f"{100 * memory:+.1f}".replace("-", "−") in cells[6].text and "at most +2.0" in browser.one("table.verdicts").text


def test_a_heading_sorts_its_table_by_click_and_by_key(report, browser):
    heading = browser.all('[aria-label="Quality"] thead th')[1]

    def values() -> list[float]:
        cells = browser.all('[aria-label="Quality"] tbody td:nth-child(2)')
        return [float(c.get_attribute("data-order")) for c in cells]

    heading.find_element("tag name", "button").click()
    assert values() == sorted(values()) and heading.get_attribute("aria-sort") == "ascending"
    heading.find_element("tag name", "button").send_keys(Keys.ENTER)
    assert values() == sorted(values(), reverse=True) and heading.get_attribute("aria-sort") == "descending"
    assert len(set(values())) > 3


def test_the_slider_shows_the_uncached_twin_in_place_of_the_image(report, browser):
    row = next(r for r in browser.all("#samples tbody tr") if r.text.startswith("FD-3"))
    shown, slider = row.find_element("css selector", ".over"), browser.one("#wipe")
    prompt = pd.read_parquet(report / "prompts/twemoji/64/evaluated.parquet")["prompt_id"].iloc[0]
    files = [report / f"samples/pocket/base/{name}/twemoji/clean/seed0/images/{prompt}.png" for name in ("FD-3", "uncached-6")]

    def distances() -> list[float]:
        seen = browser.picture_of(shown)
        images = [Image.open(file).convert("RGB").resize(seen.size) for file in files]
        return [np.abs(np.asarray(seen, float) - np.asarray(image, float)).mean() for image in images]

    slider.send_keys(Keys.HOME)
    to_image, to_twin = distances()
    assert to_image < to_twin and "own images" in browser.one("output").text
    slider.send_keys(Keys.END)
    to_image, to_twin = distances()
    assert to_twin < to_image and "twins" in browser.one("output").text


def test_hover_and_focus_say_what_a_number_comes_from(report, browser):
    tip, kid = browser.one("#tip"), cell(browser, "Quality", "FD-3", 0)
    assert not tip.is_displayed()
    browser.script("arguments[0].scrollIntoView({block: 'center'})", kid)
    ActionChains(browser.driver).move_to_element(kid).perform()
    told = tip.text
    assert "8 images: 8 prompts x 1 seed" in told
    files = re.findall(r"results/\S+", told)
    place = "pocket/base/FD-3/twemoji/clean"
    assert files == [f"results/metrics/kid/{place}.parquet", f"results/samples/{place}/seed0"]
    assert all((report.parent / file).exists() for file in files)
    browser.script("arguments[0].focus()", kid)
    ActionChains(browser.driver).send_keys(Keys.ARROW_RIGHT).perform()
    assert f"results/metrics/frechet_pca/{place}.parquet" in tip.text
    assert browser.script("return document.activeElement.getAttribute('aria-describedby')") == "tip"
    ActionChains(browser.driver).send_keys(Keys.ESCAPE).perform()
    assert not tip.is_displayed()


def test_a_table_is_one_stop_of_the_tab_key(report, browser):
    tables = browser.all("table[data-roving]")
    assert tables and all(len(table.find_elements("css selector", 'td[tabindex="0"]')) == 1 for table in tables)


@pytest.mark.parametrize(("name", "count"), [("exp1", 2), ("recipes", 2), ("ablations", 3)])
def test_every_figure_has_a_text_alternative(pages, browser, name, count):
    browser.open(pages / f"{name}.html")
    figures = browser.all("figure")
    assert len(figures) == count
    for figure in figures:
        plot = figure.find_element("css selector", ".plot")
        sentence = browser.one("#" + plot.get_attribute("aria-labelledby"))
        assert plot.get_attribute("role") == "img" and sentence.is_displayed() and re.search(r"\d", sentence.text)
        assert figure.find_element("css selector", "[data-view]:not([hidden]) details td")
    assert all(image.get_attribute("alt") for image in browser.all("img"))
    assert browser.script("return [...document.images].every(image => image.naturalWidth > 0)")


def test_another_metric_draws_another_figure(report, browser):
    figure = browser.one("#tradeoff-figure")
    before = figure.find_element("css selector", ".ytitle").text
    browser.script("const s = arguments[0]; s.selectedIndex = 1; s.dispatchEvent(new Event('change', {bubbles: true}))",
                   figure.find_element("tag name", "select"))  # fmt: skip
    after = figure.find_element("css selector", ".ytitle").text
    assert before.startswith("KID") and after.startswith("Fréchet")
    assert figure.find_element("css selector", "figcaption p:not([hidden] *)").text.startswith("Fréchet")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways(report, browser, width):
    browser.open(report / "exp1.html", width=width, height=844)
    assert browser.script("return document.documentElement.scrollWidth") <= width


def test_a_dark_system_gets_a_dark_page_and_dark_figures(report, browser):
    look = "return [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('.ytitle')).fill]"
    light = browser.script(look)
    browser.open(report / "exp1.html", scheme="dark")
    dark = browser.script(look)
    assert all(brightness(x) != brightness(y) for x, y in zip(light, dark, strict=True))
    assert brightness(light[0]) > brightness(dark[0]) and brightness(light[1]) < brightness(dark[1])
    browser.use_scheme("light")
    browser.until(lambda: browser.script(look) == light)


def brightness(colour: str) -> int:
    return sum(int(value) for value in re.findall(r"\d+", colour)[:3])


def test_every_judged_row_of_the_recipes_has_its_verdicts_on_their_page(pages, browser):
    browser.open(pages / "recipes.html")
    assert browser.console() == [] and (pages / "recipes.html").stat().st_size < TEN_MB
    criteria = pd.read_csv(pages / "recipes_criteria.csv")
    assert len(browser.all("table.verdicts td strong")) == len(criteria)
    asked = criteria[criteria["asked"]]
    totals = asked.groupby("variation")["verdict"].value_counts().unstack(fill_value=0)
    most, total = totals.get("met", pd.Series([0])).max(), totals.sum(axis=1).max()
    headline = browser.one("h1").text
    assert f"all {total} criteria" in headline and (most == total or f"{most} met" in headline)


def test_a_page_shows_what_was_measured_and_has_no_section_for_the_rest(pages, browser):
    """Ablations have a mechanism, but neither verdicts nor cost."""
    browser.open(pages / "ablations.html")
    assert browser.console() == [] and browser.one("h1").text.startswith("Ablations: ")
    assert "control" in browser.one("#ablations-figure").text
    assert not browser.all("#tradeoff") and not browser.all("table.verdicts") and browser.all("#samples td")


def test_the_page_says_what_was_drawn_by_what(report, browser):
    lead = browser.one(".lead").text
    assert "pocket, 64 px; twemoji; clean: 8 images a row: 8 prompts x 1 seeds." in lead
    assert "pocket, 64 px" in browser.one("#provenance").text
