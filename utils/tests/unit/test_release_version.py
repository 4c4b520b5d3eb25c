import pytest
from otel_layers.errors import UsageError
from otel_layers.release import version

SHA = "0123456789abcdef" * 4


@pytest.mark.parametrize("good", ["0.4.0", "1.0.0", "10.20.30", "1.0.0-beta.1", "0.0.0-dev", "1.2.3-rc-2.x.7"])
def test_versions_are_taken_and_come_back_out_of_the_name(good):
    assert version.check(good) == good
    name = version.layer_name("opentelemetry-python", "amd64", good, SHA)
    expected = f"{good}-01234567" if good.startswith("0.0.0-") else good
    assert version.version_of(name, "opentelemetry-python", "amd64") == expected
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize("bad", ["", "1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.0+build", "1.0.0-", "1.0.0-a_b", "1.0.0 ", "latest", "1.0.0-01"])
def test_other_shapes_are_refused(bad):
    with pytest.raises(UsageError, match="is not of the form"):
        version.check(bad)


def test_the_name_is_the_one_of_the_design():
    assert version.layer_name("opentelemetry-python", "amd64", "0.4.0", SHA) == "opentelemetry-python-amd64-0_4_0"


def test_a_development_build_is_named_after_its_bytes():
    names = {version.layer_name("x", "arm64", "0.0.0-dev", sha) for sha in (SHA, SHA[::-1])}
    assert names == {"x-arm64-0_0_0-dev-01234567", "x-arm64-0_0_0-dev-fedcba98"}


@pytest.mark.parametrize("name", ["x-arm64-latest", "x-amd64-1_0_0", "y-x-arm64-1_0_0", "x-arm64-", "x-arm64-more-1_0_0"])
def test_names_of_other_layers_have_no_version(name):
    assert version.version_of(name, "x", "arm64") == ""


def test_a_group_other_than_the_first_stands_in_the_name_and_hides_it_from_the_others():
    names = {group: version.layer_name("x", "arm64", "1.0.0", SHA, group) for group in version.GROUPS}
    assert names == {"prod": "x-arm64-1_0_0", "beta": "x-beta-arm64-1_0_0", "dev": "x-dev-arm64-1_0_0"}
    for group, name in names.items():
        assert [other for other in version.GROUPS if version.version_of(name, "x", "arm64", other)] == [group]


def test_order_is_that_of_semantic_versioning():
    ordered = [
        "0.9.10",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.10.0",
    ]
    assert sorted(set(ordered), key=version.order) == ordered
