"""What of telemetry may be stored, by the cases that the servers' JavaScript is tested with as well."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mastra_admin_sdk.errors import InvalidInput, SettingError
from mastra_admin_sdk.policy import TelemetryPolicy, compile_pattern, read_policy
from mastra_admin_sdk.policy.sampling import number_trace
from mastra_admin_sdk.settings import load_settings

CASES = json.loads((Path(__file__).parents[1] / "node" / "policy_cases.json").read_text())


@pytest.mark.parametrize("case", CASES["patterns"], ids=lambda case: case["pattern"])
def test_a_pattern_hides_the_same_as_in_a_server(case: dict[str, Any]) -> None:
    compiled = compile_pattern(case["pattern"])
    assert compiled == case["compiled"]
    cleaner = TelemetryPolicy(patterns=(compiled,)).cleaner
    for text, clean in case["texts"]:
        assert cleaner.clean_text(text) == clean


@pytest.mark.parametrize("number", range(len(CASES["records"])))
def test_a_record_is_cleaned_as_in_a_server(number: int) -> None:
    case = CASES["records"][number]
    policy = TelemetryPolicy(fields=tuple(case["policy"]["fields"]), patterns=tuple(case["policy"]["patterns"]))
    assert policy.cleaner.clean_record(case["data"]) == case["clean"]


@pytest.mark.parametrize(("trace", "number"), CASES["traces"])
def test_a_trace_has_the_number_that_a_server_gives_it(trace: str, number: int) -> None:
    assert number_trace(trace) == number


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a**", "a repetition of a repetition"),
        ("a{2", "a { that begins no count"),
        ("a{3,2}", "the wrong way round"),
        ("a{20000}", "more than 10,000"),
        ("*a", "nothing before it"),
        ("(a", "never closed"),
        ("a)", "closes nothing"),
        ("[a", "never closed"),
        ("[]", "nothing in it"),
        ("[a[b]", r"write \\\[ for"),
        ("[z-a]", "a range"),
        (r"[\d-x]", "a range"),
        ("(?=a)", "a group"),
        ("(?P<n>a)", "a group"),
        ("a(?i)", "very beginning"),
        ("(?i)é", "not ASCII"),
        (r"(a)\1", r"\\1"),
        (r"\p{L}", r"\\p"),
        (r"\ud83d", "surrogate"),
        ("a\\", r"\\"),
        ("x*", "empty text"),
        ("a?|b", "empty text"),
        ("(a+)+b", "ways from one place"),
        ("(a|a)*b", "ways from one place"),
        ("(?:a?){50}b", "ways from one place"),
        (r"\d+-?\d+x", "ways from one place"),
        ("(" * 30 + "a" + ")" * 30, "too deep"),
        ("a" * 501, "501 characters"),
    ],
)
def test_a_pattern_that_could_differ_or_run_away_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"--BEGIN[\s\S]{0,4000}END",
        r"[\w.-]+@[\w.-]+\.\w{2,}",
        r"\+?\d[\d ()-]{7,14}\d",
        r"(?:ab|cd){2,9}e",
        r"a{2}b{2,}c?d",
    ],
)
def test_a_compiled_pattern_means_what_was_written(pattern: str) -> None:
    compiled = re.compile(compile_pattern(pattern))
    texts = ["-----BEGIN x END", "a.b@c.d.ef!", "+49 (30) 1234-5678", "ababcde", "aabbbcd", "aabb", ""]
    for text in texts:
        assert compiled.findall(text) == [match[0] for match in re.finditer(pattern, text, re.ASCII)]


@pytest.mark.parametrize("begin", ["[", '{"a":', '[{"a":'], ids=["lists", "objects", "both"])
def test_what_is_nested_too_deep_is_cut_and_still_cleaned(begin: str) -> None:
    end = "".join({"[": "]", "{": "}"}[char] for char in reversed(begin) if char in "[{")
    told = json.loads(begin * 300 + '{"password": "hunter2"}' + end * 300)
    cleaner = TelemetryPolicy().cleaner
    for value in (told, json.dumps({"token": told})):
        assert "hunter2" not in json.dumps(cleaner.clean_record({"id": "1", "input": value}))
    assert "cut: nested too deep" in json.dumps(cleaner.clean(told))


def read(**given: Any) -> TelemetryPolicy:
    return read_policy(load_settings(given, {}), ("weather", "search/weather"))


def test_the_settings_say_the_policy() -> None:
    assert read() == TelemetryPolicy()
    policy = read(
        telemetry_sample="0.5, weather=0.25, other=0",
        telemetry_sample_errors=True,
        telemetry_redact_fields=["E-Mail, user.Name", "other=input"],
        telemetry_redact_patterns="\\d{4}\n[a:b,c]{3}",
    )
    assert policy == TelemetryPolicy(0.25, True, ("email", "user.name"), ("[0-9]{4}", "[,:a-c]{3}"))
    assert read(telemetry_sample="search/weather=0.1").sample == 0.1
    assert json.loads(policy.to_json())["keepErrors"] is True


def test_patterns_in_the_environment_stand_on_a_line_each() -> None:
    settings = load_settings({}, {"MASTRA_ADMIN_TELEMETRY_REDACT_PATTERNS": "a:b\n\n c,d "})
    assert settings.telemetry_redact_patterns == ["a:b", "c,d"]


@pytest.mark.parametrize(
    "given",
    [{"telemetry_sample": "2"}, {"telemetry_sample": "x=lots"}, {"telemetry_sample": "nan"},
     {"telemetry_redact_fields": "a..b"}, {"telemetry_redact_fields": "other=a..b"},
     {"telemetry_redact_fields": ", ".join(["a", *(f"other=b{number}" for number in range(100))])},
     {"telemetry_redact_patterns": "a**"}],
    ids=["above-one", "no-number", "nan", "no-name", "no-name-elsewhere", "too-many-names", "no-pattern"],
)  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(SettingError, match=next(iter(given))):
        read(**given)


def test_half_of_the_traces_are_about_half_and_the_same_every_time() -> None:
    traces = [f"trace-{number}" for number in range(4000)]
    kept = [trace for trace in traces if TelemetryPolicy(sample=0.5).admits(trace)]
    assert 1900 < len(kept) < 2100
    assert all(TelemetryPolicy(sample=0.6).admits(trace) for trace in kept)
    assert not any(TelemetryPolicy(sample=0.0).admits(trace) for trace in traces)
