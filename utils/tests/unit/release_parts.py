"""Receipts and indexes of layers that were never published, for tests of what is made of them."""

from otel_layers.project import open_project
from otel_layers.release import index
from otel_layers.release import receipt as receipts
from otel_layers.release import version as versions
from otel_layers.release.outcome import Result
from otel_layers.release.plan import Item, Plan, Target

CATALOGUE = open_project().catalogue
REGIONS = [r.name for r in CATALOGUE.regions.values() if r.required][:3]
COLLECTOR = next(la for la in CATALOGUE.layers.values() if la.role == "collector")
LANGUAGE = next(la for la in CATALOGUE.layers.values() if la.role == "language")


def receipt(version="0.4.0", layers=(COLLECTOR, LANGUAGE), regions=REGIONS, public=True, sha="ab", group="prod", yanked=""):
    items = []
    for layer in layers:
        for arch, spelling in (("amd64", "x86_64"), ("arm64", "arm64")):
            name = versions.layer_name(layer.name, arch, version, "", group)
            facts = (layer.description, "Apache-2.0", layer.runtimes, spelling, layer.zip_name(arch), sha * 32, "q83v", 1000, 2000, "c" * 40)
            items.append(Item(name, layer.name, arch, version, layer.language, layer.role, *facts))
    targets = tuple(Target(r, True, False) for r in regions)
    made = receipts.new(Plan("aws", "aws", public, tuple(items), targets, (), group), "123456789012")
    made.yanked = {item.name: yanked for item in items} if yanked else {}
    for region in regions:
        for item in items:
            made.record(Result(item.name, region, "published", f"arn:aws:lambda:{region}:123456789012:layer:{item.name}:1", 1, public))
    return made


def made(*found, previous=None):
    return index.make(found or [receipt()], CATALOGUE.name, previous)
