"""What the pages say of commands is true: every verb, folder, option and file that they name is there."""

import re
import shlex
from pathlib import Path

import pytest
from command_lines import FOLDERS, options
from otel_layers import cli, project
from otel_layers.cli import verbs

ROOT = Path(__file__).parents[3]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*/*.md")), *sorted(ROOT.glob("sample-apps/*/*.md"))]


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """(folder of the page, words) for every ./run.sh command in a page, continued lines joined, comments off."""
    found = []
    text = page.read_text().replace("\\\n", " ")
    for match in re.finditer(r"(?:^|[`\s])((?:[\w/.-]+/)?run\.sh(?: [^`\n]*)?)", text):
        if not match[1].startswith("./") and "`" not in match[0]:
            continue
        try:
            words = shlex.split(match[1].rstrip(".,;:)"), comments=True)
        except ValueError:
            continue
        found.append((words[0], words[1:]))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_on_the_page_exist(page: Path) -> None:
    for script, words in commands(page):
        in_prose = [w for w in words if not re.fullmatch(r"[\w./,:=@\[\]<>|*-]+", w)]
        if in_prose or (words and (words[0].isupper() or words[0].startswith("["))):
            continue  # ./run.sh [FOLDER] [VERB]: a pattern, or a sentence that goes on behind the command
        folder = str(Path(script).parent) if Path(script).parent != Path() else ""
        typed = [folder, *words] if folder in FOLDERS else words
        where, verb, rest = cli.split(typed, FOLDERS)
        known = options(verb)
        for word in rest:
            name = word.partition("=")[0]
            if re.fullmatch(r"--?[a-z][a-z-]*", name) and name not in ("-h", "--help"):
                assert name in known, f"{page.name}: {' '.join(words)}: {verb or 'no verb'} has no {name} ({where})"


def test_every_verb_stands_in_the_how_to_or_the_readme() -> None:
    text = (ROOT / "docs/how-to.md").read_text() + (ROOT / "README.md").read_text()
    assert [v for v in verbs.VERBS if not re.search(rf"run\.sh[^\n]* {v}\b|`{v}`", text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_shows_every_layer_of_the_catalogue() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert rows == list(project.open_project().catalogue.layers)


def test_the_readme_names_the_runtimes_and_architectures_that_the_layers_are_for() -> None:
    catalogue = project.open_project().catalogue
    said = (ROOT / "README.md").read_text().partition("They work with the runtimes ")[2].partition(" follow.")[0]
    languages = {name for layer in catalogue.layers.values() for name in layer.runtimes}
    assert set(re.findall(r"\b[a-z]+\d+\.\d+\b", said)) == languages
    assert all(architecture.aws in said for layer in catalogue.layers.values() for architecture in catalogue.select_architectures("all", layer))


def test_the_readme_has_a_transcript_of_what_is_printed() -> None:
    text = (ROOT / "README.md").read_text()
    shown = text[text.index("<!-- transcript -->") : text.index("<!-- end of transcript -->")]
    for part in ("Trace ", "linked from SQS.SendMessage", "sent by the functions", "layer version ARN", "cold, without layers"):
        assert part in shown
