"""`store_for`: a URL names a store, and never holds a secret."""

import pytest

from hitl_prefect.errors import ConfigError
from hitl_prefect.stores import FolderStore, S3Store, store_for

SECRET = "wJalrXUtnFEMI"


def test_a_folder_is_named_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    urls = [store_for(url).url for url in ("folder:out", f"folder:{tmp_path}/out")]

    assert urls == [f"folder:{tmp_path}/out"] * 2


def test_a_bucket_is_named_with_its_parameters():
    store = store_for(
        "s3://outcomes/team%20a/?endpoint_url=https://s3.example.org:9000&region=eu-1&verify=/etc/ca.pem"
        "&addressing_style=virtual&atomic_create=false"
    )

    assert isinstance(store, S3Store)
    assert (store.bucket, store.prefix, store.endpoint_url, store.region) == (
        "outcomes",
        "team a",
        "https://s3.example.org:9000",
        "eu-1",
    )
    assert (store.verify, store.addressing_style, store.atomic_create) == ("/etc/ca.pem", "virtual", False)


def test_verification_is_on_unless_it_is_switched_off():
    given = [store_for(f"s3://outcomes{query}") for query in ("", "?verify=true", "?verify=false")]

    assert [store.verify for store in given if isinstance(store, S3Store)] == [True, True, False]


@pytest.mark.parametrize(
    "url", ["gs://bucket", "https://user:pw@host/b", "outcomes", "s3:bucket", "folder:", "s3://", "s3:///x"]
)
def test_other_urls_name_the_two_that_work(url):
    with pytest.raises(ConfigError, match=r"folder:PATH or s3://bucket"):
        store_for(url)


@pytest.mark.parametrize(
    "url",
    [
        f"s3://AKIA:{SECRET}@outcomes/a",
        f"s3://AKIA:{SECRET}/K7@outcomes/a",
        f"s3://AKIA:{SECRET}",
        f"s3://outcomes?aws_secret_access_key={SECRET}",
        f"s3://outcomes?{SECRET}=1",
        f"s3://outcomes?endpoint_url=https://AKIA:{SECRET}@host",
        f"s3://outcomes?endpoint_url=https://host?key={SECRET}",
        f"s3://[{SECRET}",
        f"https://AKIA:{SECRET}@host/outcomes",
        f"s3://outcomes?atomic_create={SECRET}",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(url):
    with pytest.raises(ConfigError) as raised:
        store_for(url)

    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


def test_nothing_is_sent_or_made_before_the_first_call(tmp_path):
    FolderStore(tmp_path / "out")
    store_for("s3://outcomes?endpoint_url=https://s3.invalid")

    assert list(tmp_path.iterdir()) == []
