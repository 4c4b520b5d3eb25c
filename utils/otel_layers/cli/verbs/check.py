"""Check the sources: format, lint, types of Python and Go, shell scripts, workflows, the trigger table. Changes nothing unless --fix."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ... import console, process, toolchain
from ...errors import FunctionFailed, UsageError
from ...project import Project
from ...triggers import page


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of `check`."""
    parser.add_argument("--fix", action="store_true", help="format and mend what can be mended")


def run(project: Project, args: argparse.Namespace) -> None:
    """Run every check; all of them run, then any finding is an error."""
    root, found = project.root, []
    env = toolchain.go_environment(project, PYTHONPATH=str(root / "utils"))
    tools = Path(sys.executable).parent
    scripts = _shell_scripts(root)
    commands: list[tuple[str, list[str | Path], Path]] = [
        ("Python format", [tools / "ruff", "format", "--no-cache", *([] if args.fix else ["--check"]), root], root),
        ("Python lint", [tools / "ruff", "check", "--no-cache", *(["--fix"] if args.fix else []), root], root),
        ("Python types", [tools / "mypy", "--cache-dir", project.cache / "mypy"], root),
        ("shell scripts", [tools / "shellcheck", *scripts], root),
    ]
    commands += [(name, command, root) for name, command in workflows(project, tools)]
    for module in sorted(p.parent for p in root.glob("*/go.mod")):
        go, linter = toolchain.go(project), toolchain.go_tool(project, "golangci")
        goroot = process.run([go, "env", "GOROOT"], env=env, capture=True, echo=False).strip()  # `go` may be a starter that lies elsewhere
        env |= {"PATH": f"{goroot}/bin{os.pathsep}{os.environ['PATH']}", "GOLANGCI_LINT_CACHE": str(project.cache / "golangci")}
        lint: list[str | Path] = [linter, "run", "--config", root / ".golangci.yml", *(["--fix"] if args.fix else []), "./..."]
        for nested in sorted(module.rglob("go.mod")):
            commands += [("Go vet", [go, "vet", "./..."], nested.parent), ("Go lint", lint, nested.parent)]
        sources = [p for p in module.rglob("*.go") if "testdata" not in p.parts]
        commands += [("Go format", [Path(goroot) / "bin/gofmt", "-w" if args.fix else "-l", *sources], module)]
    for name, command, folder in commands:
        console.step(name)
        try:
            out = process.run(command, cwd=folder, env=env, error=FunctionFailed, capture=True, echo=False)
        except FunctionFailed as exc:
            found.append(f"{name}: {exc.why or exc.what}")
            continue
        if name == "Go format" and out.strip():
            found.append(f"{name}: not formatted:\n{out.strip()}")
    console.step("trigger table")
    try:
        if not page.is_current(root, mend=args.fix):
            found.append(f"trigger table: {page.PAGE} does not say what the table says")
    except UsageError as exc:
        found.append("\n".join(exc.lines()))
    if found:
        raise FunctionFailed("checks failed", why="\n".join(found), remedy="./run.sh check --fix mends what can be mended")


def workflows(project: Project, tools: Path) -> list[tuple[str, list[str | Path]]]:
    """The checks of .github/: workflows by what GitHub takes and by what an attacker could do, CloudFormation templates."""
    home = project.root / ".github"
    commands: list[tuple[str, list[str | Path]]] = []
    if files := sorted(home.glob("workflows/*.y*ml")):
        lint: list[str | Path] = [toolchain.go_tool(project, "actionlint"), "-no-color", "-pyflakes=", f"-shellcheck={tools / 'shellcheck'}"]
        audit: list[str | Path] = [tools / "zizmor", "--offline", "--persona=pedantic", "--strict-collection"]
        audit += ["--no-progress", "--quiet", "--color=never"]
        commands += [("workflows", [*lint, *files]), ("workflows' security", [*audit, home])]
    if templates := sorted(home.glob("aws/*.y*ml")):
        commands.append(("CloudFormation templates", [tools / "cfn-lint", "--", *templates]))
    return commands


def _shell_scripts(root: Path) -> list[Path]:
    """Every tracked file that is a shell script, by its first line."""
    tracked = process.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"], capture=True, echo=False).split("\0")
    scripts = []
    for name in filter(None, tracked):
        path = root / name
        if path.is_file() and not path.suffix.startswith((".py", ".go", ".zip")):
            with path.open("rb") as file:
                first = file.readline(80)
            if first.startswith(b"#!") and first.rstrip().endswith(b"sh"):
                scripts.append(path)
    return scripts
