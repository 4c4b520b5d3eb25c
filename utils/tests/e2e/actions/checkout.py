"""What actions/checkout does of what this project asks of it, from a repository on this machine."""

import os
import subprocess


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "init.defaultBranch=main", *arguments], check=True)


env = os.environ
if env["PERSIST"] != "false":
    raise SystemExit("persist-credentials is not false")
ref, sha = env["GITHUB_REF"], env["GITHUB_SHA"]
tag = ref.startswith("refs/tags/")
depth = [] if env["DEPTH"] == "0" else ["--no-tags", f"--depth={env['DEPTH']}"]
git("init", "--quiet", ".")
git("remote", "add", "origin", f"file://{env['STANDIN_REPOSITORY']}")
if branch := env["REF"]:
    wanted, ref, sha = f"refs/heads/{branch}", f"refs/remotes/origin/{branch}", f"refs/remotes/origin/{branch}"
else:
    wanted, ref = sha, ref if tag else "refs/remotes/origin/head"
git("fetch", "--quiet", *depth, "origin", f"+{wanted}:{ref}")
git("checkout", "--quiet", "--force", "--detach", sha)
