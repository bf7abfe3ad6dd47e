"""What docs/api.md tells to type works when typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from django.test import Client

from partners import credentials
from tests.cast import Cast

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def test_the_examples_with_curl_answer(cast: Cast) -> None:
    _, token = credentials.make(
        membership=cast.alice, name="x", exits=["api", "export"], families=None, networks=[]
    )
    answers = []
    for example in re.findall(r"```sh\n(curl .*?)```", PAGE.read_text(), re.S):
        program, *words = shlex.split(example.replace("\\\n", "").replace("$DAILIES_TOKEN", token))
        [url] = [word for word in words if word.startswith("https://dailies.example.org/")]
        given = [words[at + 1] for at, word in enumerate(words) if word == "-H"]
        assert (program, len(words)) == ("curl", 2 * len(given) + 1)
        headers = dict(header.split(": ", 1) for header in given)
        answers.append(Client(headers=headers).get(url.removeprefix("https://dailies.example.org")))
    as_json, as_csv = answers
    rows = as_json.json()["rows"]
    assert rows[0]["plays"] == 150
    assert as_csv.content.decode("utf-8-sig").splitlines()[1].startswith("2026-01-01,2026-01-02,*,")
