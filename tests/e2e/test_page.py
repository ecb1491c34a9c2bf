"""The web page in a real browser: what a person sees of prices, orders, refusals and a server that dies."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import pytest

from gen.trading.v1 import order_pb2, order_pb2_grpc
from infra.local.running import System
from tests.eventually import eventually

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Locator, Page

playwright = pytest.importorskip("playwright.async_api", reason="pip install playwright: the page needs a browser")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="apt install chromium: the page needs a browser")

expect = playwright.expect
MILLISECONDS = 20_000
PRICE = "#watch-rows [data-symbol=AAPL] .price"


@pytest.fixture(scope="module")
def owner() -> str:
    """The account of the person in front of the page."""
    return f"page-{uuid4().hex[:8]}"


@pytest.fixture(scope="module")
async def browser() -> "AsyncIterator[BrowserContext]":
    """One browser for all tests of this file."""
    async with playwright.async_playwright() as driver:
        opened = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = await opened.new_context()
        context.set_default_timeout(MILLISECONDS)
        expect.set_options(timeout=MILLISECONDS)
        yield context
        await opened.close()


@pytest.fixture(scope="module")
async def page(browser: "BrowserContext", system: System, owner: str) -> "Page":
    """The page through the public gateway, signed in, with live prices."""
    opened = await browser.new_page()
    with without_complaints(opened):
        await opened.goto(f"{system.where.rest}/#token={system.token(owner)}")
        await expect(opened.locator("#watch-rows [data-symbol=AAPL] .badge")).to_have_text("LIVE")
    return opened


@contextmanager
def without_complaints(page: "Page") -> Iterator[None]:
    """Inside the block the page's console stays clean: no error, no breach of the policy."""
    heard: list[str] = []

    def said(message: Any) -> None:
        if message.type in ("error", "warning"):
            heard.append(message.text)

    def broke(error: Any) -> None:
        heard.append(str(error))

    page.on("console", said)
    page.on("pageerror", broke)
    yield
    page.remove_listener("console", said)
    page.remove_listener("pageerror", broke)
    assert heard == []


async def fill_in(page: "Page", *, limit: str = "") -> "Locator":
    """Fill the ticket for 10 AAPL, at the market or at a limit, and return its button."""
    # What a test before left open when it failed.
    await page.evaluate("document.querySelectorAll('dialog[open]').forEach((dialog) => dialog.close())")
    await page.locator("#watch-rows [data-symbol=AAPL] .pick").click()
    await page.get_by_role("radio", name="Limit" if limit else "Market").check()
    if limit:
        await page.locator("#limit input").fill(limit)
    return page.get_by_role("button", name=f"Buy 10 AAPL at {limit or 'market'}")


async def keys(page: "Page") -> set[str]:
    """Return the keys of the orders in the list."""
    shown: list[str] = await page.locator("#order-rows tr").evaluate_all("rows => rows.map((row) => row.dataset.key)")
    return set(shown)


async def new_keys(page: "Page", known: set[str], count: int) -> list[str]:
    """Return the keys of new orders as soon as there are so many."""

    async def come() -> list[str]:
        found = await keys(page) - known
        return sorted(found) if len(found) >= count else []

    found = await eventually(come, within=20)
    assert len(found) == count
    return found


def row_of(page: "Page", key: str) -> "Locator":
    """Return an order's row."""
    return page.locator(f"#order-rows [data-key='{key}']")


async def test_prices_and_the_chart_move(page: "Page") -> None:
    with without_complaints(page):
        await expect(page.locator("#plot canvas")).to_be_visible()
        before = [await page.locator(one).inner_text() for one in (PRICE, "#plot-bar")]

        await expect(page.locator(PRICE)).not_to_have_text(before[0])
        await expect(page.locator("#plot-bar")).not_to_have_text(before[1])
        assert "token" not in page.url


async def test_a_double_click_on_buy_is_one_order_that_becomes_filled(page: "Page") -> None:
    known = await keys(page)
    with without_complaints(page):
        await (await fill_in(page)).dblclick()

        (key,) = await new_keys(page, known, 1)
        await expect(row_of(page, key)).to_have_attribute("data-state", "FILLED")
        await expect(page.locator("#outcome")).to_contain_text("10 of 10")
        await row_of(page, key).locator(".badge").click()
        await expect(page.locator("#timeline-steps")).to_contain_text("PUBLISHED")
        await page.get_by_role("button", name="Close").click()
    assert await keys(page) == {*known, key}


async def test_a_refusal_says_why_and_what_to_do_and_leaves_no_order(page: "Page") -> None:
    known = await keys(page)
    with without_complaints(page):
        await (await fill_in(page, limit="9999.01")).click()

        await expect(page.locator("#outcome")).to_contain_text("PRICE_OUTSIDE_COLLAR")
        await expect(page.locator("#outcome")).to_contain_text("or trade at the market")
    assert await keys(page) == known


async def test_a_resting_order_is_changed_and_canceled_from_its_row(page: "Page") -> None:
    known = await keys(page)
    with without_complaints(page):
        await (await fill_in(page, limit="170")).click()
        (key,) = await new_keys(page, known, 1)
        row = row_of(page, key)
        await expect(row).to_have_attribute("data-state", "PLACED")

        await row.get_by_role("button", name="Change").click()
        await page.locator("#amend-price").fill("171")
        await page.locator("#amend-price").press("Enter")
        await expect(row).to_contain_text("171.00")
        await row.get_by_role("button", name="Cancel").click()
        await expect(row).to_have_attribute("data-state", "CANCELED")


async def test_a_found_symbol_is_watched_and_can_be_left_again(page: "Page") -> None:
    with without_complaints(page):
        await page.locator("#query").fill("bank of am")
        await expect(page.locator("#found [data-symbol=BAC]")).to_be_visible()
        await page.keyboard.press("Enter")

        await expect(page.locator("#chart-title")).to_have_text("BAC")
        await expect(page.locator("#watch-rows [data-symbol=BAC] .badge")).to_have_text("LIVE")
        await page.get_by_role("button", name="Stop watching BAC").click()
        await expect(page.locator("#watch-rows [data-symbol=BAC]")).to_have_count(0)


@pytest.mark.timeout(120)
async def test_a_killed_edge_loses_no_order_and_doubles_none(page: "Page", system: System, owner: str) -> None:
    """One order is on its way when the edge dies, another one is placed elsewhere while it is away."""
    known = await keys(page)
    button = await fill_in(page)
    await expect(button).to_be_enabled()
    system.freeze("edge")
    await button.click()
    await system.kill("edge")
    await place_elsewhere(system, owner)

    await expect(page.locator("#link")).to_have_attribute("data-state", "ready")
    for key in await new_keys(page, known, 2):
        await expect(row_of(page, key)).to_have_attribute("data-state", "FILLED")
    await expect(page.locator("#watch-rows [data-symbol=AAPL] .badge")).to_have_text("LIVE")
    before = await page.locator(PRICE).inner_text()
    await expect(page.locator(PRICE)).not_to_have_text(before)


async def place_elsewhere(system: System, account: str) -> None:
    """Buy 3 MSFT for the account, not through the edge."""
    metadata = [("authorization", f"Bearer {system.token(account)}")]
    async with grpc.aio.insecure_channel(system.where.order_svc) as channel:
        wish = order_pb2.PlaceOrderRequest(
            client_order_id=uuid4().hex,
            symbol="MSFT",
            side=order_pb2.Order.BUY,
            type=order_pb2.Order.MARKET,
            quantity=3,
        )
        await order_pb2_grpc.OrderServiceStub(channel).PlaceOrder(wish, metadata=metadata, timeout=5)


async def test_without_a_token_the_page_asks_and_says_what_is_wrong_with_one(
    browser: "BrowserContext", system: System, account: str
) -> None:
    page = await browser.new_page()
    await page.goto(f"{system.where.rest}/")

    await page.get_by_label("Token").fill("no token")
    await page.get_by_role("button", name="Connect").click()
    await expect(page.locator("#signin-problem")).to_contain_text("token")
    await page.get_by_label("Token").fill(system.token(account))
    await page.get_by_role("button", name="Connect").click()
    await expect(page.locator("#link")).to_have_attribute("data-state", "ready")
    await page.close()


async def test_the_policy_stops_foreign_sockets_scripts_and_markup(page: "Page") -> None:
    told = await page.evaluate(
        """async () => {
          const blocked = [];
          const heard = (event) => blocked.push(event.effectiveDirective);
          document.addEventListener("securitypolicyviolation", heard);
          try { document.body.innerHTML += "<p>markup</p>"; } catch { blocked.push("markup"); }
          const script = document.createElement("script");
          script.append("window.ran = true");
          document.body.append(script);
          await fetch("http://127.0.0.1:9/").catch(() => blocked.push("fetch"));
          try { new WebSocket("ws://127.0.0.1:9/"); } catch { blocked.push("socket"); }
          await new Promise((done) => setTimeout(done, 50));
          document.removeEventListener("securitypolicyviolation", heard);
          return { blocked, ran: window.ran === true };
        }"""
    )

    assert not told["ran"]
    assert {"markup", "fetch", "connect-src", "require-trusted-types-for"} <= set(told["blocked"])


async def test_money_is_counted_exactly(page: "Page") -> None:
    told = await page.evaluate(
        """async () => {
          const { micros, decimal, shown, change, stepped } = await import("/page/money.js");
          return [
            decimal(micros("0.1") + micros("0.2")), decimal(micros("123456789012.000001")), shown("1234567.5"),
            change("190.12", "200").text, change("200.01", "200").text, stepped("190.129", "0.01", 1),
            String(micros("1e5")), String(micros("1.0000001")),
          ];
        }"""
    )

    assert told == [
        *("0.30", "123456789012.000001", "1,234,567.50", "\N{MINUS SIGN}4.94 %", "+0.01 %", "190.13", "null", "null")
    ]
