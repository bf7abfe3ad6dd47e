"""What docs/api.md tells to type works when typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from django.test import Client

from partners import credentials
from reports.build import build
from reports.plan import ask_bundle
from tests.cast import Cast
from tests.walls import WHOLE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def test_the_examples_with_curl_answer(cast: Cast, storage: Path) -> None:
    bundle = ask_bundle(membership=cast.alice, titles=None, window=WHOLE, language="en")
    assert build(bundle.pk)
    _, token = credentials.make(
        membership=cast.alice, name="x", exits=["api", "export"], families=None, networks=[]
    )
    answers: list[Any] = []
    for example in re.findall(r"```sh\n(curl .*?)```", PAGE.read_text(), re.S):
        program, *words = shlex.split(example.replace("\\\n", "").replace("$DAILIES_TOKEN", token))
        [url] = [word for word in words if word.startswith("https://dailies.example.org/")]
        given = [words[at + 1] for at, word in enumerate(words) if word == "-H"]
        saved = words.count("-OJ")  # under the name that the answer tells
        assert (program, len(words)) == ("curl", 2 * len(given) + 1 + saved)
        url = url.replace("<id>", str(bundle.pk))
        headers = dict(header.split(": ", 1) for header in given)
        answers.append(Client(headers=headers).get(url.removeprefix("https://dailies.example.org")))
    as_json, as_csv, file = answers
    assert (file.status_code, file["Content-Type"]) == (200, "application/zip")
    assert b"".join(file.streaming_content).startswith(b"PK")
    rows = as_json.json()["rows"]
    assert rows[0]["plays"] == 150
    assert as_csv.content.decode("utf-8-sig").splitlines()[1].startswith("2026-01-01,2026-01-02,*,")
