"""Tests of infra/tidy.py: files that are too long, links that lead nowhere."""

from pathlib import Path

import pytest

from infra.tidy import dead_links, headings, too_long


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def a_file(path: str, text: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_long_file_is_named_unless_it_is_generated_or_a_test() -> None:
    text = "pass\n" * 301
    files = [a_file("edge/hub.py", text), a_file("gen/order.py", text), a_file("tests/test_hub.py", text)]

    assert list(too_long(files)) == ["edge/hub.py: 301 lines, at most 300: split it"]


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("[a](docs/there.md)", None),
        ("[a](docs/there.md#the-second-part)", None),
        ("[a](#here)", None),
        ("[a](https://example.com/nowhere.md)", None),
        ("`[a](code.md)`", None),
        ("[a](docs/gone.md)", "README.md: there is no docs/gone.md"),
        ("[a](docs/there.md#third)", "README.md: docs/there.md has no heading #third"),
        ("[a](#gone)", "README.md: this page has no heading #gone"),
    ],
)
def test_a_link_must_lead_somewhere(link: str, problem: str | None) -> None:
    a_file("docs/there.md", "# There\n\n## The second part\n")
    readme = a_file("README.md", f"# Here\n\n{link}\n")

    assert list(dead_links([readme])) == ([problem] if problem else [])


def test_headings_get_the_anchors_that_github_gives() -> None:
    text = "# One: `code` & more\n## Same\n## Same\n```\n# not a heading\n```\n"

    assert headings(text) == {"one-code--more", "same", "same-1"}
