"""The ARN page's markup and data; what it does in a browser is held by e2e/test_page_browser.py."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from otel_layers.release import page
from otel_layers.release.snippets import SNIPPETS
from unit.release_parts import CATALOGUE, COLLECTOR, LANGUAGE, made, receipt

ALL = tuple(CATALOGUE.layers.values())
DEFAULT = [region.name for region in CATALOGUE.regions.values() if region.partition == CATALOGUE.default_partition]
HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>\"'&amp;\u2028"


class Read(HTMLParser):
    """Tags, and texts by the element they are in."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.setdefault(self.tags[-1] if self.tags else "", []).append(data)


def shown(index):
    return Read(page.render(index, CATALOGUE))


def unpacked(packed):
    return {region: pattern.replace("*", region, 1) for pattern, regions in packed for region in regions}


def test_the_page_has_every_arn_of_the_index_in_few_bytes():
    index = made(receipt("0.3.0", ALL, DEFAULT), receipt("0.4.0", ALL, DEFAULT))
    entries = page.data(index, CATALOGUE)["layers"]
    assert [unpacked(entry["arns"]) for entry in entries] == [entry["arns"] for entry in index["layers"]]
    assert all(len(entry["arns"]) == 1 for entry in entries)


def test_arns_that_do_not_differ_in_their_region_alone_are_kept_as_they_are():
    odd = {"r-1": "arn:aws:lambda:r-1:1:layer:a:1", "r-2": "arn:aws:lambda:r-2:1:layer:a:7", "r-3": "arn:aws:lambda:other:1:layer:a:1"}
    assert unpacked(page.packed(odd)) == odd


def test_the_embedded_data_is_read_back_whatever_is_in_it():
    read = json.loads(page.embedded({"text": HOSTILE}))
    assert read == {"text": HOSTILE}
    assert not set("<>&") & set(page.embedded({"text": HOSTILE}))


def test_only_the_texts_that_the_policy_names_run():
    found = shown(made())
    policy = next(a["content"] for tag, a in found.attributes if a.get("http-equiv") == "Content-Security-Policy")
    for kind in ("style", "script"):
        hashes = re.findall(rf"{kind}-src '(sha256-[^']+)'", policy)
        body = (page.TEMPLATES / f"page.{'css' if kind == 'style' else 'js'}").read_text()
        assert hashes == ["sha256-" + base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()]
        assert body in found.texts[kind], "its element has this text and nothing else"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert found.tags.count("style") == 1
    assert [a for tag, a in found.attributes if tag == "script"] == [{"type": "application/json", "id": "data"}, {}]


def test_nothing_in_the_page_names_another_place():
    links = {value for _, a in shown(made()).attributes for key, value in a.items() if key in ("href", "src", "action", "srcset")}
    assert links == {"data:,", "index.json", "notes.md", "SHA256SUMS"}


def test_the_tables_have_the_newest_arns_and_no_yanked_one():
    index = made(receipt("0.3.0"), receipt("0.4.0"), receipt("0.5.0", layers=(LANGUAGE,), yanked="it loses spans"))
    text = page.render(index, CATALOGUE)
    tables = text[text.index('id="all"') : text.index("<footer>")]
    wanted = {arn for entry in index["layers"] if entry["version"] == "0.4.0" for arn in entry["arns"].values()}
    assert set(re.findall(r"<td>(\S+)", tables)) == wanted
    assert f"{LANGUAGE.name} 0.5.0: it loses spans" in tables
    assert tables.count("it loses spans") == 1, "both architectures are one line"


def test_versions_of_other_groups_come_behind_and_say_so():
    index = made(receipt("0.5.0", group="beta"), receipt("0.4.0"), receipt("0.5.0", group="dev"))
    found = [(e["version"], e["pin"]) for e in page.data(index, CATALOGUE)["layers"] if (e["layer"], e["architecture"]) == (LANGUAGE.name, "arm64")]
    assert found == [("0.4.0", "0.4.0"), ("0.5.0 (beta)", "0.5.0_beta"), ("0.5.0 (dev)", "0.5.0_dev")]
    assert f"<summary>{LANGUAGE.name} 0.5.0 (beta), arm64</summary>" in page.render(made(receipt("0.5.0", group="beta")), CATALOGUE)


def test_of_one_development_version_the_newest_build_is_offered():
    old, new = made(receipt("0.0.0-dev", sha="ab")), receipt("0.0.0-dev", sha="cd")
    for entry in old["layers"]:
        entry["name"] += "-old"
    index = made(new, previous=old)
    assert len(index["layers"]) == 8
    assert [e["arns"] for e in page.data(index, CATALOGUE)["layers"]] == [page.packed(e["arns"]) for e in index["layers"] if e["sha256"] == "cd" * 32]


def test_private_layers_are_said_to_be_private():
    assert "Private: only the account" in page.render(made(receipt(public=False)), CATALOGUE)
    assert "Private: only the account" not in page.render(made(), CATALOGUE)


def test_every_region_of_the_partition_is_offered_with_its_place():
    offered = page.data(made(), CATALOGUE)["regions"]
    assert [region["name"] for region in offered] == sorted(DEFAULT)
    assert all(region["place"] for region in offered), "botocore has the name of each"
    assert all(region["at"] == CATALOGUE.regions[region["name"]].at for region in offered)


def test_a_region_that_the_catalogue_no_longer_has_is_offered_while_it_has_arns():
    found = page.data(made(receipt(regions=["xx-gone-1"])), CATALOGUE)
    assert [(r["name"], r["partition"], r["at"]) for r in found["regions"] if r["name"] not in DEFAULT] == [("xx-gone-1", "aws", None)]


def test_runtimes_have_the_catalogue_s_order_and_languages_their_names():
    runtimes = [r.name for r in CATALOGUE.runtimes.values() if r.language == "nodejs"]
    other = replace(LANGUAGE, name="other", language="nodejs", runtimes=("zz", *runtimes))
    found = page.data(made(receipt(layers=(COLLECTOR, other, LANGUAGE))), CATALOGUE)
    assert found["runtimes"] == [r for r in CATALOGUE.runtimes if r in (*LANGUAGE.runtimes, *runtimes)] + ["zz"]
    assert [one["text"] for one in found["languages"]] == ["Node.js", LANGUAGE.language.capitalize(), "Any other language"]


def test_the_snippets_are_those_of_the_notes():
    assert [(s["key"], s["title"], s["text"]) for s in page.data(made(), CATALOGUE)["snippets"]] == [(s.key, s.title, s.text) for s in SNIPPETS]


@pytest.mark.parametrize("key", ["layer", "version", "language", "role", "name", "yanked"])
def test_hostile_texts_are_texts(key):
    index = made()
    clean = shown(made()).tags
    for entry in index["layers"]:
        entry[key] = HOSTILE
    index["name"] = HOSTILE
    found = shown(index)
    assert {*found.tags} <= {*clean, "h3", "ul", "li"}
    assert found.tags.count("script") == 2


def test_six_layers_in_all_regions_are_less_than_200_kilobytes():
    six = [replace(layer, name=f"{layer.name}-{n}") for n, layer in enumerate((ALL * 2)[:6])]
    one = len(page.render(made(receipt("0.4.0", six, DEFAULT)), CATALOGUE).encode())
    eight = len(page.render(made(*[receipt(f"0.{n}.0", six, DEFAULT) for n in range(8)]), CATALOGUE).encode())
    assert (one < 200_000, eight < 300_000) == (True, True), f"{one} and {eight} bytes"
    print(f"{one} bytes; with eight versions {eight}")
