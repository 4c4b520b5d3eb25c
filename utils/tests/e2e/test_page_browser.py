"""The ARN page in a real browser: every choice gives the ARNs of the index and the notes' snippets, by mouse, keyboard, link or without a script."""

import itertools
import json
import math
import re
from dataclasses import replace

import pytest
from e2e.browser import HOSTILE, NEEDED, chromium
from otel_layers.release import index, notes, page
from otel_layers.release.snippets import SNIPPETS, WRAPPER, fill
from unit.release_parts import CATALOGUE, COLLECTOR, LANGUAGE, made, receipt

pytestmark = NEEDED

LAYERS = tuple(CATALOGUE.layers.values())
BUNDLE = next(layer for layer in LAYERS if layer.role == "bundle" and layer.language == LANGUAGE.language)
OTHER = replace(LANGUAGE, name="other", language="nodejs", runtimes=tuple(r.name for r in CATALOGUE.runtimes.values() if r.language == "nodejs"))
HOME = CATALOGUE.home_region
EVERYWHERE = [region.name for region in CATALOGUE.regions.values() if region.partition == HOME.partition]
PAIR = f"{COLLECTOR.name},{LANGUAGE.name}"
SCHEMES = {"light": "rgb(255, 255, 255)", "dark": "rgb(16, 20, 26)"}

# The contrast of each text that is seen with what is behind it; and of each control's edge or face.
CONTRAST = """() => {
  const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return { rgb: [r, g, b], a }; };
  const light = ({ rgb }) => rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const behind = (node) => {
    for (let e = node; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a === 1) return c; }
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    if (!node.checkVisibility() || node.matches("script, style, input, option")) continue;
    const style = getComputedStyle(node), own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (own || node.matches("select")) found.push(["text", node.tagName, node.textContent.slice(0, 40), ratio(parse(style.color), behind(node))]);
    if (node.matches("button, select, .options label")) {
      const around = behind(node.parentElement), face = [style.borderTopColor, style.backgroundColor].map((c) => ratio(parse(c), around));
      found.push(["edge", node.tagName, node.textContent.slice(0, 40), Math.max(...face)]);
    }
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


def full(*versions, layers=LAYERS, regions=EVERYWHERE):
    return made(*[receipt(version, layers, regions) for version in versions or ("0.4.0",)])


def entries(found, layer, version=None):
    return [entry for entry in found["layers"] if entry["layer"] == layer.name and version in (None, entry["version"])]


def render(found):
    return page.render(found, CATALOGUE)


def arns(shown):
    return shown.locator("#arns code").all_text_contents()


def state(shown):
    """All that a user sees chosen."""
    radios = shown.locator("input:checked").evaluate_all("all => all.map(e => [e.name, e.value])")
    selects = shown.locator("select:visible").evaluate_all("all => all.map(e => [e.name, e.value])")
    return dict(radios + selects), arns(shown), shown.locator("#summary").text_content()


def pasted(shown):
    """What the clipboard has, by pasting it elsewhere."""
    other = shown.context.new_page()
    other.set_content("<textarea></textarea>")
    other.locator("textarea").focus()
    other.keyboard.press("Control+V")
    text = other.locator("textarea").input_value()
    other.close()
    shown.bring_to_front()
    return text


def link(shown, address):
    shown.evaluate(
        "hash => new Promise(done => { addEventListener('hashchange', () => setTimeout(done), { once: true }); location.hash = hash; })", address
    )


def nothing_else(shown, *, told=()):
    assert shown.told == list(told)
    assert set(shown.asked) <= {"localhost /index.html", "arns.example /index.html"}


def test_the_bundle_of_the_home_region_is_there_at_once(browser):
    with browser.opened(render(full())) as shown:
        assert arns(shown) == [entries(full(), BUNDLE)[0]["arns"][HOME.name]]
        assert shown.locator("#summary").text_content().startswith(f"1 ARN: {BUNDLE.name} 0.4.0, for {LANGUAGE.runtimes[-1]}, x86_64, in {HOME.name}")
        assert shown.url.endswith("/index.html"), "nothing was chosen, so the address says nothing"
        nothing_else(shown)


def test_every_choice_has_the_arns_of_the_index_and_the_snippets_of_the_notes(browser):
    found = full(layers=(*LAYERS, OTHER))
    collectors = [layer.name for layer in LAYERS if layer.role == "collector"]
    sets = [(LANGUAGE, (BUNDLE.name,)), *((LANGUAGE, (c, LANGUAGE.name)) for c in collectors), *((OTHER, (c, OTHER.name)) for c in collectors)]
    sets += [(None, (c,)) for c in collectors]
    seen = 0
    with browser.opened(render(found)) as shown:
        for (code, layers), architecture, region, snippet in itertools.product(sets, ("x86_64", "arm64"), EVERYWHERE[3::17], SNIPPETS):
            for runtime in (code.runtimes[0], code.runtimes[-1]) if code else ("",):
                link(
                    shown,
                    f"#language={code.language if code else 'any'}&layers={','.join(layers)}&runtime={runtime}"
                    f"&architecture={architecture}&region={region}&tool={snippet.key}",
                )
                wanted = [next(e for e in found["layers"] if (e["layer"], e["architecture"]) == (layer, architecture)) for layer in layers]
                urns = [entry["arns"][region] for entry in wanted]
                assert arns(shown) == urns
                how = {"region": region, "architecture": architecture, "runtime": runtime, "wrapper": WRAPPER if code else ""}
                assert shown.locator("#snippet").text_content() == fill(snippet, arns=urns, **how).rstrip("\n")
                assert shown.locator("#notices .note").count() == 0
                seen += 1
        assert seen == (5 * 2 + 2) * 2 * 2 * len(SNIPPETS)
        nothing_else(shown)


@pytest.mark.parametrize("host", ["localhost", "arns.example", "file"])
def test_what_is_copied_is_what_the_notes_say(browser, tmp_path, host):
    done = receipt(regions=[HOME.name])
    text, example = notes.markdown([done]), index.example(made(done))
    (tmp_path / "index.html").write_text(render(made(done)))
    where = (tmp_path / "index.html").as_uri() if host == "file" else host
    address = f"#language={LANGUAGE.language}&layers={PAIR}&runtime={example['runtime']}&architecture={example['architecture']}&region={HOME.name}"
    with browser.opened(render(made(done)), address, where) as shown:
        assert shown.evaluate("isSecureContext") == (host != "arns.example"), "where it is not, the clipboard is reached the older way"
        for snippet in SNIPPETS:
            shown.get_by_label(snippet.title, exact=True).check()
            shown.get_by_role("button", name=f"Copy the {snippet.title} snippet").click()
            shown.locator("#said", has_text=f"Copied the {snippet.title} snippet.").wait_for()
            assert f"```{snippet.language}\n{pasted(shown)}\n```" in text
        for layer, arn in zip((COLLECTOR, LANGUAGE), example["arns"], strict=True):
            shown.get_by_role("button", name=f"Copy the ARN of {layer.name}", exact=True).click()
            shown.locator("#said", has_text=f"Copied the ARN of {layer.name}.").wait_for()
            assert pasted(shown) == arn
        nothing_else(shown)


def test_a_browser_that_refuses_to_copy_is_said_and_the_text_is_selected(browser):
    with browser.opened(render(full()), host="arns.example") as shown:
        shown.evaluate("document.execCommand = () => false")
        shown.get_by_role("button", name="Copy the Console snippet").click()
        shown.locator("#said", has_text="does not let this page copy").wait_for()
        assert shown.evaluate("String(getSelection())") == shown.locator("#snippet").text_content()


def stop(shown):
    """Where the keyboard is: the id, or name, or text of the element with the focus."""
    return shown.evaluate(
        "(() => { const e = document.activeElement; return e === document.body ? '' : e.name || e.id || e.ariaLabel || e.textContent; })()"
    )


def tab_to(shown, name):
    for _ in range(60):
        shown.keyboard.press("Tab")
        if stop(shown) == name:
            return
    raise AssertionError(f"Tab never came to {name}")


def test_everything_is_chosen_and_copied_by_the_keyboard_alone(browser):
    found = full("0.3.0", "0.4.0")
    target = next(name for name in EVERYWHERE if name.startswith("eu-central"))
    with browser.opened(render(found)) as shown:
        tab_to(shown, "layers")
        shown.keyboard.press("ArrowDown")
        assert stop(shown) == "layers", "the focus stays where the user is"
        tab_to(shown, "runtime")
        shown.keyboard.press("ArrowUp")
        tab_to(shown, "architecture")
        shown.keyboard.press("ArrowRight")
        tab_to(shown, "region")
        shown.keyboard.type(target)
        tab_to(shown, "version")
        shown.keyboard.type("0.3")
        tab_to(shown, "collector-version")
        assert shown.locator("#collector-version").input_value() == ""
        tab_to(shown, "tool")
        shown.keyboard.press("ArrowLeft")  # round, to the last
        tab_to(shown, "copy-snippet")
        shown.keyboard.press("Enter")
        shown.locator("#said", has_text="Copied the AWS CLI snippet.").wait_for()
        assert stop(shown) == "copy-snippet"
        urns = [
            next(e for e in entries(found, la, v) if e["arch"] == "arm64")["arns"][target] for la, v in ((COLLECTOR, "0.4.0"), (LANGUAGE, "0.3.0"))
        ]
        assert arns(shown) == urns
        how = {"region": target, "architecture": "arm64", "runtime": LANGUAGE.runtimes[-2], "wrapper": WRAPPER}
        assert pasted(shown) == fill(SNIPPETS[-1], arns=urns, **how).rstrip("\n")
        nothing_else(shown)


def test_tab_comes_to_every_control_once_visibly_and_out_again(browser):
    with browser.opened(render(full()), f"#layers={PAIR}") as shown:
        controls = "a, button, select, summary, pre[tabindex], input:checked"
        wanted = shown.locator(controls).evaluate_all("all => all.filter(e => e.checkVisibility()).length")
        stops = []
        for _ in range(wanted):
            shown.keyboard.press("Tab")
            stops.append(stop(shown))
            outline = shown.evaluate(
                "(() => { const e = document.activeElement, s = getComputedStyle(e.matches('input') ? e.closest('label') : e);"
                " return [s.outlineStyle, parseFloat(s.outlineWidth)]; })()"
            )
            assert outline == ["solid", 3], stops[-1]
        assert "" not in stops
        assert len(set(stops)) == wanted
        shown.keyboard.press("Tab")
        assert stop(shown) in ("", stops[0]), "behind the last control the page is left"
        shown.locator("#copy-snippet").focus()
        shown.keyboard.press("Shift+Tab")
        assert stop(shown) == "tool"


def test_a_link_brings_every_choice_back(browser):
    text = render(full("0.3.0", "0.4.0"))
    with browser.opened(text) as shown:
        shown.get_by_role("radio", name=f"Two layers {COLLECTOR.name} {LANGUAGE.name}", exact=True).check()
        shown.get_by_label("Runtime").select_option(LANGUAGE.runtimes[1])
        shown.get_by_label("arm64").check()
        shown.get_by_label("Region").select_option(EVERYWHERE[7])
        shown.get_by_label(f"Version of {LANGUAGE.name}").select_option("0.3.0")
        shown.get_by_label(f"Version of {COLLECTOR.name}").select_option("0.4.0")
        shown.get_by_label("Terraform").check()
        chosen, address = state(shown), shown.url.partition("#")[2]
        shown.get_by_role("button", name="Copy a link to these choices").click()
        shown.locator("#said", has_text="Copied the link.").wait_for()
        assert pasted(shown) == shown.url
        nothing_else(shown)
    assert chosen[0] == {
        "language": LANGUAGE.language,
        "layers": PAIR,
        "runtime": LANGUAGE.runtimes[1],
        "architecture": "arm64",
        "region": EVERYWHERE[7],
        "version": "0.3.0",
        "collector-version": "0.4.0",
        "tool": "terraform",
    }
    with browser.opened(text, f"#{address}") as shown:
        assert state(shown) == chosen
        shown.reload()
        assert state(shown) == chosen
        nothing_else(shown)


@pytest.mark.parametrize("value", ["nowhere-1", HOSTILE, "%", "%00%ff", "__proto__"])
def test_values_that_mean_nothing_are_said_and_ignored(browser, value):
    with browser.opened(render(full())) as shown:
        usual = state(shown)
        for key in ("language", "layers", "runtime", "architecture", "region", "version", "tool"):
            link(shown, f"#{key}={value}")
            assert state(shown) == usual
            assert f"There is no {key} “" in shown.locator("#notices").text_content()
        link(shown, f"#{value.replace('=', '%3D')}=1")
        assert "which means nothing here" in shown.locator("#notices").text_content()
        assert state(shown) == usual
        link(shown, "#")
        assert shown.locator("#notices").text_content() == ""
        assert shown.title().startswith("Layer ARNs")
        nothing_else(shown)


def apart(one, other):
    """How far apart two regions are, as an angle."""
    (a, b), (c, d) = ([math.radians(degrees) for degrees in CATALOGUE.regions[name].at] for name in (one, other))
    return math.acos(min(1, math.sin(a) * math.sin(c) + math.cos(a) * math.cos(c) * math.cos(b - d)))


@pytest.mark.parametrize("lacking", EVERYWHERE[::11])
def test_a_region_without_a_layer_says_so_and_names_the_nearest(browser, lacking):
    found = full()
    for entry in entries(found, LANGUAGE):
        del entry["arns"][lacking]
    with browser.opened(render(found), f"#layers={PAIR}&region={lacking}") as shown:
        told = shown.locator("#notes").text_content()
        assert f"{LANGUAGE.name} 0.4.0 for x86_64 is not published in {lacking}" in told
        assert arns(shown) == [entries(found, COLLECTOR)[0]["arns"][lacking]], "what is there is shown"
        assert not shown.locator("#attach").is_visible(), "no snippet of half of the layers"
        assert "(not published)" in shown.locator(f"#region option[value={lacking}]").text_content()
        assert shown.locator("#region option", has_text="(not published)").count() == 1
        shown.get_by_role("button", name=re.compile("^Show ")).click()
        there = shown.locator("#region").input_value()
        assert f"The nearest region that has both: {there}" in told
        assert apart(lacking, there) == min(apart(lacking, name) for name in EVERYWHERE if name != lacking)
        assert stop(shown) == "region", "the focus is not lost with the button"
        assert (len(arns(shown)), shown.locator("#notes").text_content()) == (2, "")
        nothing_else(shown)


def test_a_region_that_lacks_the_newest_version_shows_the_one_before_and_says_so(browser):
    found = full("0.3.0", "0.4.0")
    for entry in entries(found, BUNDLE, "0.4.0"):
        entry["arns"] = {HOME.name: entry["arns"][HOME.name]}
    with browser.opened(render(found), f"#region={EVERYWHERE[0]}") as shown:
        assert arns(shown) == [entries(found, BUNDLE, "0.3.0")[0]["arns"][EVERYWHERE[0]]]
        told = shown.locator("#notes").text_content()
        assert f"{BUNDLE.name} 0.4.0 for x86_64 is not published in {EVERYWHERE[0]}" in told
        assert "0.3.0 is the newest here" in told
        assert f"The nearest region that has it: {HOME.name}" in told


def test_only_what_is_possible_is_offered(browser):
    found = full("0.3.0", "0.4.0", layers=(*LAYERS, OTHER))
    found["layers"] = [e for e in found["layers"] if (e["layer"], e["arch"]) != (OTHER.name, "arm64")]
    for entry in entries(found, BUNDLE, "0.3.0"):
        entry["runtimes"] = entry["runtimes"][:2]
        del entry["arns"][EVERYWHERE[0]]

    def offered(shown, name):
        return [v for v in shown.locator(f"#{name} option, #{name} input").evaluate_all("all => all.map(e => e.value)") if v]

    with browser.opened(render(found)) as shown:
        assert offered(shown, "runtime") == list(LANGUAGE.runtimes)
        assert offered(shown, "version") == ["0.4.0"], "the earlier one knows no such runtime"
        shown.get_by_label("Runtime").select_option(LANGUAGE.runtimes[0])
        assert offered(shown, "version") == ["0.4.0", "0.3.0"]
        shown.get_by_label("Version of").select_option("0.3.0")
        shown.get_by_label("Region").select_option(EVERYWHERE[0])
        assert offered(shown, "version") == ["0.4.0"], "the earlier one has no ARN there"
        assert "There is no version “0.3.0” here: the newest is shown." in shown.locator("#notices").text_content()
        shown.get_by_label("Node.js").check()
        assert (offered(shown, "runtime"), offered(shown, "architecture")) == (list(OTHER.runtimes), ["x86_64"])
        shown.get_by_label("Any other language").check()
        assert not shown.locator("#runtime").is_visible()
        assert offered(shown, "layers") == [layer.name for layer in LAYERS if layer.role == "collector"]
        nothing_else(shown)


def test_yanked_versions_are_told_and_never_preselected(browser):
    found = full("0.3.0", "0.4.0")
    for entry in entries(found, BUNDLE, "0.4.0"):
        entry["yanked"] = "It loses spans."
    with browser.opened(render(found)) as shown:
        assert arns(shown) == [entries(found, BUNDLE, "0.3.0")[0]["arns"][HOME.name]]
        assert shown.locator("#version option").all_text_contents() == ["Newest: 0.3.0", "0.4.0 (yanked)", "0.3.0"]
        assert shown.locator("#notes").text_content() == ""
        shown.get_by_label("Version of").select_option("0.4.0")
        assert f"{BUNDLE.name} 0.4.0 was taken back (yanked), do not use it: It loses spans." in shown.locator("#notes").text_content()
        assert arns(shown) == [entries(found, BUNDLE, "0.4.0")[0]["arns"][HOME.name]]
    for entry in found["layers"]:
        entry["yanked"] = "It loses spans."
    with browser.opened(render(found)) as shown:
        assert arns(shown) == []
        assert "every version here is yanked" in shown.locator("#notes").text_content()
        assert "No other region has it." in shown.locator("#notes").text_content()
        nothing_else(shown)


def test_versions_of_other_groups_are_offered_behind_and_brought_back_by_a_link(browser):
    found = made(receipt("0.5.0", LAYERS, group="beta"), receipt("0.4.0", LAYERS))
    with browser.opened(render(found)) as shown:
        assert shown.locator("#version option").all_text_contents() == ["Newest: 0.4.0", "0.4.0", "0.5.0 (beta)"]
        shown.get_by_label("Version of").select_option("0.5.0_beta")
        chosen, address = state(shown), shown.url.partition("#")[2]
        assert "-beta-amd64-0_5_0:1" in arns(shown)[0]
    with browser.opened(render(found), f"#{address}") as shown:
        assert state(shown) == chosen
        nothing_else(shown)


def test_private_layers_are_said_to_be_private(browser):
    with browser.opened(render(made(receipt(layers=LAYERS, public=False)))) as shown:
        assert "is private: only the account" in shown.locator("#notes").text_content()


def tree(shown):
    return [node for node in shown.context.new_cdp_session(shown).send("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]


def test_the_accessibility_tree_names_everything_and_announces_what_changes(browser):
    with browser.opened(render(full("0.3.0", "0.4.0")), f"#layers={PAIR}&x=1") as shown:
        shown.get_by_role("button", name=f"Copy the ARN of {LANGUAGE.name}").click()
        shown.locator("#said", has_text="Copied").wait_for()
        nodes = [(node["role"]["value"], node.get("name", {}).get("value", "").strip(), node) for node in tree(shown)]
        named = {role: [name for r, name, _ in nodes if r == role] for role in ("button", "radio", "combobox", "link", "region", "heading")}
        assert {role: names for role, names in named.items() if not (names and all(names) and len(set(names)) == len(names))} == {}
        assert {"Language", "Layers", "Architecture", "Tool"} <= {name for role, name, _ in nodes if role == "group"}
        assert named["combobox"][0] == "Runtime"
        assert [role for role, _, _ in nodes if role in ("banner", "main", "contentinfo")] == ["banner", "main", "contentinfo"]
        live = [node for role, _, node in nodes if role == "status"]
        assert len(live) == 3
        assert all({"name": "live", "value": {"type": "token", "value": "polite"}} in node["properties"] for node in live)
        before = shown.locator("#summary").text_content()
        shown.get_by_label("arm64").check()
        after = shown.locator("#summary").text_content()
        assert (before != after, "2 ARNs" in after, "arm64" in after) == (True, True, True)
        said = shown.locator("#said").text_content()
        shown.get_by_role("button", name=f"Copy the ARN of {LANGUAGE.name}").click()
        # Other characters, though they look the same: the same ones would not be read out again.
        shown.wait_for_function("said => document.getElementById('said').textContent === said + '\\u00a0'", arg=said)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_and_contrast_find_nothing_in_either_scheme(browser, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    found = full("0.3.0", "0.4.0")
    for entry in entries(found, LANGUAGE, "0.4.0"):
        entry["yanked"] = "It loses spans."
    with browser.opened(render(found), f"#layers={PAIR}&version=0.4.0&x=1", color_scheme=scheme, viewport={"width": width, "height": 900}) as shown:
        shown.locator("summary").first.click()
        shown.get_by_role("button", name="Copy a link").click()
        shown.locator("#said", has_text="Copied").wait_for()
        assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == SCHEMES[scheme]
        measured = shown.evaluate(CONTRAST)
        assert [one for one in measured if one[3] < (4.5 if one[0] == "text" else 3)] == []
        assert len(measured) > 60
        assert {one[2] for one in measured} >= {"Layer ARNs", "Copy", "Copied the link."}
        asked = list(shown.asked)
        response = Axe().run(shown).response
        assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in response["violations"]] == []
        assert "color-contrast" in {one["id"] for one in response["passes"]}
        assert asked == ["localhost /index.html"]


def test_without_javascript_every_newest_arn_is_in_a_table(browser):
    found = full("0.3.0", "0.4.0")
    with browser.opened(render(found), java_script_enabled=False) as shown:
        assert not shown.locator("#chooser").is_visible()
        assert shown.locator("noscript p").is_visible()
        summaries = shown.locator("summary")
        assert summaries.count() == len(LAYERS) * 2
        shown.locator("summary", has_text=f"{BUNDLE.name} 0.4.0, arm64").click()
        [entry] = [e for e in entries(found, BUNDLE, "0.4.0") if e["arch"] == "arm64"]
        for region in EVERYWHERE[::11]:
            assert shown.get_by_text(entry["arns"][region], exact=True).is_visible()
        wanted = {arn for e in found["layers"] if e["version"] == "0.4.0" for arn in e["arns"].values()}
        assert {text.strip() for text in shown.locator("td").all_text_contents()} == wanted
        nothing_else(shown)


def sheets(shown):
    return len(re.findall(rb"/Type\s*/Page\b", shown.pdf()))


def test_it_prints_what_was_chosen_and_without_javascript_the_tables(browser):
    with browser.opened(render(full()), f"#layers={PAIR}", color_scheme="dark") as shown:
        shown.emulate_media(media="print", color_scheme="dark")
        seen = {one: shown.locator(one).first.is_visible() for one in ("#arns code", "#snippet", "#summary", "#choices", "#all", "button")}
        assert seen == {"#arns code": True, "#snippet": True, "#summary": True, "#choices": False, "#all": False, "button": False}
        assert shown.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
        assert sheets(shown) == 1
    with browser.opened(render(full()), java_script_enabled=False) as shown:
        assert sheets(shown) > len(LAYERS), "closed details are printed too"


@pytest.mark.parametrize("width", [320, 700, 1280])
def test_nothing_is_wider_than_the_window(browser, width):
    found = full("0.3.0", "0.4.0-beta.1")
    found["name"] = "a-name-without-any-space-" * 10
    for entry in found["layers"]:
        entry["layer"] += "-with-a-very-long-name" * 4
        if entry["version"] == "0.3.0":
            entry["yanked"] = "because-of-everything" * 20
    with browser.opened(render(found), f"#{'x' * 400}=1", viewport={"width": width, "height": 800}) as shown:
        for tool in (snippet.key for snippet in SNIPPETS):
            shown.locator(f"input[value={tool}]").check()
            shown.locator("input[name=layers]").last.check()
            shown.locator("#version").select_option("0.3.0")
            shown.locator("#copy-link").click()
            shown.locator("summary").last.click()
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            boxes = [box for box in (one.bounding_box() for one in shown.locator("button, select, .options label, #said, td").all()) if box]
            assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)


def test_many_versions_in_every_region_stay_quick_to_choose_from(browser):
    versions = [f"0.{n}.0" for n in range(8)]
    found = full(*versions)
    with browser.opened(render(found)) as shown:
        assert shown.locator("#version option").all_text_contents() == ["Newest: 0.7.0", *versions[::-1]]
        shown.get_by_label("Version of").select_option("0.0.0")
        assert arns(shown) == [entries(found, BUNDLE, "0.0.0")[0]["arns"][HOME.name]]
        nothing_else(shown)


@pytest.mark.parametrize("text", [HOSTILE, "</script><script>document.title='pwned'</script>", "\"'`${document.title='pwned'}\u2028<!--"])
def test_hostile_texts_of_an_index_do_nothing(browser, text):
    found = full("0.3.0", "0.4.0")
    for entry in found["layers"]:
        entry.update(layer=f"{entry['layer']} {text}", runtimes=[text] if entry["runtimes"] else [], yanked=text)
        entry["language"] = entry["language"] if entry["language"] == "any" else text
        entry["version"] += text
        entry["arns"] = {**{region: arn + text for region, arn in entry["arns"].items()}, text: f"arn:aws:lambda:{text}:1:layer:x:1"}
    found["name"] = text
    with browser.opened(render(found), f"#region={HOME.name}") as shown:
        shown.locator("#version").select_option(index=1)
        assert arns(shown) == [entry["arns"][HOME.name] for entry in found["layers"] if entry["role"] == "bundle"][:1]
        assert text in shown.locator("#notes").text_content()
        assert shown.title() == f"Layer ARNs: {text}"
        assert shown.locator("img, main script").count() == 0
        nothing_else(shown)


def test_even_unescaped_markup_could_neither_run_nor_load(browser):
    text = render(full()).replace("<main>", f"<main>{HOSTILE}<link rel=stylesheet href=http://elsewhere.example/css>")
    with browser.opened(text) as shown:
        assert shown.title().startswith("Layer ARNs")
        assert [message for message in shown.told if "Content Security Policy" in message]
        assert shown.asked == ["localhost /index.html"]


def test_the_means_of_these_tests_would_see_a_script_and_a_request(browser):
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    text = policy.sub("", render(full())).replace("<main>", f"<main>{HOSTILE}<script>console.error('seen')</script>")
    with browser.opened(text) as shown:
        shown.wait_for_load_state("networkidle")
        assert shown.title() == "pwned"
        assert "elsewhere.example /name" in shown.asked
        assert "seen" in shown.told


def test_the_data_in_the_page_is_the_index(browser):
    found = full("0.3.0", "0.4.0")
    with browser.opened(render(found)) as shown:
        read = json.loads(shown.locator("#data").text_content())
        got = [{region: pattern.replace("*", region) for pattern, names in e["arns"] for region in names} for e in read["layers"]]
        assert got == [entry["arns"] for entry in found["layers"]]
