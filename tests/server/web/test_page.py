"""The page in a real browser, before a played model: what people do with it, and what models must not do to it."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from axk1.server.access import OpenGate
from axk1.server.app import create_app
from axk1.server.calls import (
    ChatCall,
    ContentPart,
    Event,
    Finished,
    ToolArguments,
    ToolCallBegin,
)
from axk1.server.errors import ApiError
from axk1.server.settings import NoticeSettings, ServeSettings, ThinkingSettings
from axk1.server.web import routes
from server.played import PlayedProvider, talk
from server.serving import listening, parts_in

playwright = pytest.importorskip("playwright.sync_api")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = Path(routes.__file__).parents[3] / "web/node_modules/axe-core/axe.min.js"
needs_page = pytest.mark.skipif(not (routes._STATIC / "index.html").is_file(), reason="not built: make web")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium")
pytestmark = [needs_page, needs_browser]

EVIL = (
    '<img src=x onerror="document.title=`broken`"><script>document.title="broken"</script> '
    "[click](javascript:document.title='broken') ![out](http://127.0.0.1:9/leak.png) "
    "<b>bold</b> $\\href{javascript:alert(1)}{x}$"
)
SHOWN = "# 제목\n\n| 가 | 나 |\n|---|---|\n| 1 | 2 |\n\n```python\nprint('안녕')\n```\n\n원의 넓이는 $\\pi r^2$예요."


def script(call: ChatCall) -> Sequence[Event | ApiError]:
    """What the played model says to each question."""
    asked = call.messages[-1].content
    if "나쁜" in asked:
        return [ContentPart(0, EVIL), Finished(0, "stop")]
    if "보여" in asked:
        return [ContentPart(0, part) for part in re.findall(r".{1,7}", SHOWN, re.DOTALL)] + [Finished(0, "stop")]
    if "오래" in asked:
        return [ContentPart(0, f"{number} ") for number in range(2000)]
    if call.tools and call.messages[-1].role == "user":
        return [
            ToolCallBegin(0, 0, "call_1", "get_weather"),
            ToolArguments(0, 0, '{"city": "서울"}'),
            Finished(0, "tool_calls"),
        ]
    if "바쁨" in asked:
        raise ApiError(503, "full", "server_error")
    return talk(call)


class Site:
    """A server with the page, and a browser on it."""

    def __init__(self, url: str, browser: Any, provider: PlayedProvider) -> None:
        self.url, self.browser, self.provider = url, browser, provider

    @contextlib.contextmanager
    def page(self, notice: bool = True, **options: Any) -> Iterator[Any]:
        context = self.browser.new_context(**{"locale": "ko-KR", "viewport": {"width": 1200, "height": 800}} | options)
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(self.url)
        if notice:
            page.get_by_role("button", name=re.compile("알겠어요|I understand")).click()
        try:
            yield page
        finally:
            context.close()
        assert not wrong


def serving(folder: Path, provider: PlayedProvider) -> Any:
    @contextlib.asynccontextmanager
    async def app() -> Any:
        settings = ServeSettings(notice=NoticeSettings(operator="시험 회사"))
        async with parts_in(folder, provider, OpenGate(), settings) as parts:
            yield create_app(parts)

    return listening(app)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    provider = PlayedProvider(script, pause=0.002)
    arguments = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with (
        serving(tmp_path_factory.mktemp("page"), provider) as url,
        playwright.sync_playwright() as driver,
        contextlib.closing(driver.chromium.launch(executable_path=BROWSER, args=arguments)) as browser,
    ):
        yield Site(url, browser, provider)


def ask(page: Any, text: str, answers: int = 1) -> Any:
    """Says something and waits until it is answered; gives the last answer."""
    page.fill("#message", text)
    page.keyboard.press("Enter")
    page.locator("article.answer .acts").nth(answers - 1).wait_for()
    return page.locator("article.answer").last


def test_people_are_told_beforehand_and_at_every_answer(site: Site) -> None:
    with site.page(notice=False) as page:
        dialog = page.get_by_role("dialog", name="AI와 대화합니다")
        assert "생성형 인공지능" in dialog.inner_text()
        page.get_by_role("button", name="알겠어요").click()
        assert "AI가 만든 답변" in ask(page, "안녕 하세요").inner_text()
        page.reload()
        page.wait_for_selector("article.answer")
        assert page.get_by_role("dialog").count() == 0


def test_a_conversation_with_thinking_edit_branch_and_reload(site: Site) -> None:
    with site.page() as page:
        page.get_by_role("button", name="생각하고 답하기").click()
        answer = ask(page, "나랏 말싸미")
        assert site.provider.calls[-1].thinking.enabled  # type: ignore[union-attr]
        answer.locator("summary").click()
        assert "흠, 그렇군." in answer.inner_text()
        page.get_by_role("button", name="고치기").click()
        page.get_by_role("textbox", name="고치기").fill("나랏 말이")
        page.get_by_role("button", name="고쳐서 보내기").click()
        page.get_by_text("2/2").wait_for()
        page.locator("article.answer", has_text="나랏 말이").wait_for()
        page.get_by_role("button", name="이전 갈래").click()
        page.locator("article.answer", has_text="나랏 말싸미").wait_for()
        page.reload()
        page.locator("article.answer", has_text="나랏 말싸미").wait_for()
        assert page.get_by_text("1/2").count() == 1
        page.get_by_role("button", name="다시 답하기").click()
        page.locator("article.answer .branches", has_text="2/2").wait_for()


def test_thinking_is_bounded_by_the_chosen_depth(site: Site) -> None:
    with site.page() as page:
        page.get_by_role("button", name="설정").click()
        page.get_by_label("생각의 깊이").select_option("low")
        page.keyboard.press("Escape")
        ask(page, "하나")
        assert not site.provider.calls[-1].thinking.enabled  # type: ignore[union-attr]
        page.get_by_role("button", name="생각하고 답하기").click()
        ask(page, "둘", 2)
        assert site.provider.calls[-1].thinking.budget == ThinkingSettings().low  # type: ignore[union-attr]


def test_copies_carry_the_mark_also_over_plain_http(site: Site) -> None:
    with site.page() as page:
        answer = ask(page, "하나 둘")
        page.evaluate("""() => {
            Object.defineProperty(window, "isSecureContext", {value: false});
            document.addEventListener("copy", () => { window.taken = document.activeElement.value; });
        }""")
        answer.get_by_role("button", name="복사").click()
        page.wait_for_function("window.taken")
        assert page.evaluate("window.taken").startswith("하나 둘\n\n— AI가 만든 답변")


def test_stop_ends_the_answer_here_and_there(site: Site) -> None:
    with site.page() as page:
        page.fill("#message", "오래 말해 줘")
        page.keyboard.press("Enter")
        page.locator("article.answer", has_text="20 ").wait_for()
        page.get_by_role("button", name="멈추기").click()
        page.locator("article.answer .aside", has_text="여기서 멈췄어요.").wait_for()
    answer = site.provider.answers[-1]
    for _ in range(200):
        if answer.closed:
            break
        httpx.get(f"{site.url}/health")
    assert answer.closed


def test_markdown_code_and_formulas_are_shown(site: Site) -> None:
    with site.page() as page:
        answer = ask(page, "보여 줘")
        answer.locator(".katex").first.wait_for()
        answer.locator(".hljs-string").first.wait_for()
        assert answer.locator("table td").all_inner_texts() == ["1", "2"]
        assert answer.locator("h1").inner_text() == "제목"


def test_what_a_model_writes_is_text_not_page(site: Site) -> None:
    asked: list[str] = []
    with site.page() as page:
        page.on("request", lambda request: asked.append(request.url))
        answer = ask(page, "나쁜 것")
        answer.locator(".katex, .markdown").first.wait_for()
        page.wait_for_timeout(200)
        assert page.title() == "axk1"
        assert answer.locator("img, script, iframe, b").count() == 0
        assert not [link for link in answer.locator("a").all() if "script:" in (link.get_attribute("href") or "")]
        assert all(url.startswith((site.url, "blob:", "data:")) for url in asked)


def test_tool_calls_are_shown_and_answered(site: Site) -> None:
    with site.page() as page:
        page.get_by_role("button", name="설정").click()
        page.get_by_label("쓸 수 있는 도구 (JSON)").fill('[{"name": "get_weather", "parameters": {"type": "object"}}]')
        page.keyboard.press("Escape")
        page.fill("#message", "서울 날씨")
        page.keyboard.press("Enter")
        card = page.get_by_role("region", name="도구 호출")
        assert '{"city": "서울"}' in card.inner_text()
        card.get_by_role("textbox").fill("맑음")
        card.get_by_role("button", name="결과 보내기").click()
        page.locator("article.answer .markdown", has_text="맑음").wait_for()


def test_errors_say_what_to_do(site: Site) -> None:
    with site.page() as page:
        ask(page, "바쁨")
        assert "잠시 뒤에 다시 시도해 주세요" in page.get_by_role("alert").inner_text()


def test_enter_that_ends_a_composition_does_not_send(site: Site) -> None:
    with site.page() as page:
        before = len(site.provider.calls)
        page.fill("#message", "한글")
        page.eval_on_selector("#message", """(box) => {
            box.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", isComposing: true, bubbles: true}));
        }""")  # fmt: skip
        page.keyboard.press("Shift+Enter")
        assert page.input_value("#message") == "한글\n"
        assert len(site.provider.calls) == before
        ask(page, "한글")
        assert [call.messages[-1].content for call in site.provider.calls[before:]] == ["한글"]  # type: ignore[union-attr]


def test_a_composed_syllable_is_sent_once_and_whole(site: Site) -> None:
    with site.page() as page:
        before = len(site.provider.calls)
        page.focus("#message")
        keys = page.context.new_cdp_session(page)
        for part in ("ㅎ", "하", "한"):
            keys.send("Input.imeSetComposition", {"text": part, "selectionStart": 1, "selectionEnd": 1})
        page.eval_on_selector("#message", """(box) => {
            box.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", isComposing: true, bubbles: true}));
        }""")  # fmt: skip
        assert page.input_value("#message") == "한"
        keys.send("Input.insertText", {"text": "한"})
        page.keyboard.press("Enter")
        page.locator("article.answer .acts").wait_for()
        assert page.input_value("#message") == ""
        assert [call.messages[-1].content for call in site.provider.calls[before:]] == ["한"]  # type: ignore[union-attr]


def test_who_leaves_a_running_answer_finds_what_it_had_said(site: Site) -> None:
    with site.page() as page:
        page.fill("#message", "오래 걸리는 이야기")
        page.keyboard.press("Enter")
        page.locator("article.answer", has_text="20 ").wait_for()
        page.get_by_role("button", name="새 대화").click()
        page.get_by_role("heading", name="무엇을 도와드릴까요?").wait_for()
        assert page.locator(".sidebar .entry").count() == 1
        page.locator(".sidebar .entry", has_text="오래 걸리는").click()
        page.locator("article.answer", has_text="20 ").wait_for()
        page.locator("article.answer .aside", has_text="여기서 멈췄어요.").wait_for()


def test_a_file_goes_into_the_context(site: Site, tmp_path: Path) -> None:
    file, picture = tmp_path / "글.txt", tmp_path / "그림.bin"
    file.write_text("가나다라", encoding="utf-8")
    picture.write_bytes(b"\xff\xd8\x00")
    with site.page() as page:
        page.set_input_files("input[type=file]", picture)
        assert "글이 아닌 파일" in page.get_by_role("alert").inner_text()
        page.set_input_files("input[type=file]", file)
        page.locator(".files", has_text="토큰").wait_for()
        ask(page, "요약")
        assert "가나다라" in site.provider.calls[-1].messages[-1].content  # type: ignore[union-attr]


def test_histories_are_kept_on_the_server_and_searched(site: Site) -> None:
    with site.page() as page:
        page.get_by_role("button", name="설정").click()
        page.get_by_label("대화를 둘 곳").select_option("server")
        page.keyboard.press("Escape")
        ask(page, "훈민정음 이야기")
        page.locator(".sidebar .entry", has_text="훈민정음").wait_for()
        page.get_by_role("searchbox").fill("정음")
        page.locator(".sidebar small", has_text="훈민정음").wait_for()
        saved = httpx.get(f"{site.url}/web/api/conversations", params={"query": "훈민정음"}).json()["data"]
        assert [one["title"] for one in saved] == ["훈민정음 이야기"]
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="훈민정음 이야기 지우기").click()
        page.get_by_text("찾은 대화가 없어요.").wait_for()


def test_exports_carry_the_mark(site: Site) -> None:
    with site.page() as page:
        ask(page, "하나 둘")
        page.locator(".export summary").click()
        with page.expect_download() as download:
            page.get_by_role("button", name="마크다운").click()
        text = Path(download.value.path()).read_text(encoding="utf-8")
    assert "AI가 만든 답변 · played · 시험 회사" in text


def test_the_page_opens_without_a_network_and_shows_what_the_browser_keeps(site: Site) -> None:
    with site.page() as page:
        ask(page, "기억해 줘")
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.reload()
        page.wait_for_selector("article.answer")
        page.context.set_offline(True)
        page.reload()
        page.locator("article.answer", has_text="기억해 줘").wait_for()
        assert "연결되어 있지 않아요" in page.locator(".banner").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 380])
def test_no_barriers(site: Site, scheme: str, width: int) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: make web")
    with site.page(color_scheme=scheme, viewport={"width": width, "height": 760}, bypass_csp=True) as page:
        ask(page, "보여 줘")
        page.add_script_tag(path=str(AXE))
        for step in ("chat", "settings"):
            if step == "settings":
                page.get_by_role("button", name="설정").click()
            found = page.evaluate("axe.run()")["violations"]
            assert not found, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_english(site: Site) -> None:
    with site.page(locale="en-US") as page:
        assert page.get_by_role("heading", name="What can I help you with?").count() == 1
        page.get_by_role("button", name="한국어").click()
        assert page.get_by_role("heading", name="무엇을 도와드릴까요?").count() == 1


def test_the_page_may_load_nothing_from_elsewhere(site: Site) -> None:
    reply = httpx.get(site.url)
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe-inline" not in policy.split("style-src-attr")[0]
    assert reply.headers["x-frame-options"] == "DENY"
    for path in ("/assets/..%2findex.html", "/assets/%2e%2e/routes.py", "/assets/.hidden", "/assets/no.js"):
        assert httpx.get(site.url + path).status_code == 404


def test_the_documentation_of_the_api_comes_from_here(site: Site) -> None:
    asked: list[str] = []
    context = site.browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.url}/docs")
    page.get_by_text("/v1/chat/completions").first.wait_for()
    context.close()
    assert all(url.startswith((site.url, "data:")) for url in asked)


def test_a_page_that_opened_without_a_network_goes_on_when_there_is_one(site: Site) -> None:
    with site.page() as page:
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.reload()
        page.context.set_offline(True)
        page.reload()
        page.wait_for_selector(".banner")
        page.context.set_offline(False)
        page.locator(".model option").first.wait_for(state="attached")
        ask(page, "하나")


def test_a_chat_that_cannot_be_kept_is_told_and_left(site: Site) -> None:
    with site.page() as page:
        page.evaluate("""() => {
            const put = IDBObjectStore.prototype.put;
            IDBObjectStore.prototype.put = function (value) {
                const request = put.call(this, value);
                request.addEventListener("success", () => this.transaction.abort());
                return request;
            };
        }""")
        ask(page, "하나")
        page.locator(".banner", has_text="저장하지 못했어요").wait_for()
        page.get_by_role("button", name="새 대화").click()
        page.get_by_role("heading", name="무엇을 도와드릴까요?").wait_for()
