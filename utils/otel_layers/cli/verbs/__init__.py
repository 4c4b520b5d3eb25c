"""One module per verb: `configure(parser)` adds its options, `run(project, args)` does it and gives an exit code or None for 0."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """What is known of a verb before its module is imported, since that may need packages that are not installed yet."""

    summary: str
    extras: tuple[str, ...] = ()  # of pyproject.toml


# In the order in which --help shows them.
VERBS = {
    "build": Verb("source -> dist/NAME-ARCH.zip, its facts and its SBOM"),
    "validate": Verb("check a Collector configuration with the components that it names", ("aws",)),
    "components": Verb("Collector components: built in, in the catalogue, in a zip"),
    "test": Verb("the tests: at the root all that a new clone must pass, in a folder its own", ("dev", "aws", "local", "release")),
    "check": Verb("format, lint, types, shell scripts, workflows", ("dev", "aws", "local", "release")),
    "invoke": Verb("run a sample, or any function with any layer, in the local Lambda", ("local", "aws")),
    "deploy": Verb("deploy a sample's SAM stack", ("aws",)),
    "delete": Verb("delete a deployed sample and everything that came with it", ("aws",)),
    "publish": Verb("dist/ -> layer versions in every region, with a receipt", ("aws", "release")),
    "verify": Verb("receipt -> is everything in AWS as it says", ("aws", "release")),
    "promote": Verb("receipt -> the same bytes in other regions, accounts or groups", ("aws", "release")),
    "unpublish": Verb("receipt -> layers marked as not to be used any more", ("aws", "release")),
    "notes": Verb("receipt -> release notes with ARN tables, and the index", ("release",)),
    "release": Verb("a release on GitHub: plan, the earlier index, draft, opening, update", ("release",)),
    "advisories": Verb("what is inside the layers, against known advisories", ("release",)),
    "drift": Verb("the catalogue against AWS's regions and runtimes of now"),
    "conformance": Verb("the same events through every language's layer, with the telemetry that all must emit", ("local",)),
    "bench": Verb("cold start, size and memory against bare and stock", ("local",)),
    "aws": Verb("the embedded AWS as a server that stays: start, stop, status", ("aws",)),
    "list": Verb("the catalogue: layers, runtimes, regions"),
    "matrix": Verb("CI's matrix as JSON"),
}
# Not typed as words: `-l`, and naming no verb at all.
SILENT = {
    "list-arn": Verb("the newest ARN of a layer", ("aws", "release")),
    "everything": Verb("the whole job", ("aws", "local", "release")),
}
