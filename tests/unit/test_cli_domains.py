"""Domains on the command line."""

from __future__ import annotations

from fixtures.cli import CommandLine

NAME = "weather-agent"


def test_domains_are_added_listed_and_removed(command_line: CommandLine) -> None:
    command_line.deploy()
    added = command_line.run_json("domains", "add", NAME, "Agents.example.com", "b.example.com", "--tls", "internal")
    assert (added["domains"], added["tls"]) == (["agents.example.com", "b.example.com"], "internal")
    assert added["urls"][-2:] == ["https://agents.example.com:8443", "https://b.example.com:8443"]
    assert command_line.run_json("domains", "list", NAME) == added
    removed = command_line.run_json("domains", "remove", NAME, "B.example.com")
    assert removed["domains"] == ["agents.example.com"]
    assert "https://agents.example.com:8443" in command_line.run("domains", "list", NAME).output.split()


def test_a_domain_that_is_not_there_cannot_be_removed(command_line: CommandLine) -> None:
    command_line.deploy()
    found = command_line.run("domains", "remove", NAME, "x.example.com")
    assert found.exit_code == 3
    assert "has no domain x.example.com" in found.output


def test_what_is_no_domain_is_refused_with_a_way_to_write_it(command_line: CommandLine) -> None:
    command_line.deploy()
    found = command_line.run("domains", "add", NAME, "https://x.example.com/")
    assert found.exit_code == 2
    assert "without https://" in found.output
