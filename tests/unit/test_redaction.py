"""Secret values don't survive in text, however they are encoded."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra_admin_sdk.redaction import Redactor


@given(st.text(min_size=4).filter(lambda text: len(text.strip()) >= 4), st.text(), st.text())
def test_no_value_survives_between_any_texts(secret: str, before: str, after: str) -> None:
    assert secret.strip() not in Redactor([secret]).clean(before + secret + after).replace("***", "\0\0\0\0")


@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda text: text, id="plain"),
        pytest.param(lambda text: base64.b64encode(text.encode()).decode(), id="base64"),
        pytest.param(lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="), id="base64-url"),
        pytest.param(lambda text: quote(text, safe=""), id="url"),
        pytest.param(lambda text: text.replace('"', '\\"'), id="json"),
    ],
)
def test_encoded_values_are_masked(encode: object) -> None:
    secret = 'p@ss/w"rd+1&x'
    assert Redactor([secret]).clean(f"<{encode(secret)}>") == "<***>"  # type: ignore[operator]


def test_each_line_of_a_key_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END KEY-----"
    assert "BgkqhkiG9w0B" not in Redactor([key]).clean("printed: BgkqhkiG9w0B")


def test_a_value_inside_another_is_masked_whole() -> None:
    assert Redactor(["abcd", "abcdefgh"]).clean("abcdefgh") == "***"


def test_very_short_values_are_left_alone() -> None:
    assert Redactor(["1"]).clean("10 of 11") == "10 of 11"


def test_the_repr_tells_no_value() -> None:
    assert "hunter22" not in repr(Redactor(["hunter22"]))


def test_a_short_word_that_is_a_line_of_a_longer_value_is_no_secret_alone() -> None:
    redactor = Redactor(["two\nlines", "{\n  true,\n  p4ss\n}"])
    assert redactor.clean("Mend what its last two lines say: true.") == "Mend what its last two lines say: true."
    assert redactor.clean("got two\nlines and p4ss") == "got *** and ***"


def test_large_values_are_masked_too_and_whole() -> None:
    large = "s3cr3t" * 20_000
    redactor = Redactor([large + "more", large, "s3cr3t"])
    assert redactor.clean(f"<{large}more> <{large}> <s3cr3t>") == "<***> <***> <***>"
    assert redactor.clean_sentence(f"<{large}>") == "<***>"


def test_a_single_line_is_masked_with_its_line_break_and_without() -> None:
    assert Redactor(["lines\n"]).clean("lines") == "***"


def test_a_sentence_of_ours_keeps_its_plain_words_and_no_other_value() -> None:
    redactor = Redactor(["lines", "deploy", "hunter22"])
    sentence = "Mend what its last lines say on hunter22, then deploy again."
    assert redactor.clean_sentence(sentence) == "Mend what its last lines say on ***, then deploy again."
    assert "lines" not in redactor.clean(sentence)
