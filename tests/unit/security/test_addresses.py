"""Addresses that somebody else wrote lead nowhere but where the operator allows (server-side request forgery)."""

import json
import os
import socket

import pytest
from pydantic import SecretStr

from hitl_prefect.case_lines import BadLine
from hitl_prefect.errors import ConfigError, ProviderError
from hitl_prefect.hosts import allowed_hosts, check_address
from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Case
from hitl_prefect.protocols import Request
from hitl_prefect.providers import provider_for
from hitl_prefect.providers.anthropic import AnthropicProvider
from hitl_prefect.providers.openai import OpenAIProvider
from hitl_prefect.sources import read_cases
from hitl_prefect.stores import store_for
from tests.servers.listening import mailbox
from tests.unit.security.redirecting import redirecting

METADATA = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"
INWARDS = [
    METADATA,
    "http://[fd00:ec2::254]/latest",
    "http://100.100.100.200/latest",
    "http://168.63.129.16/machine",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://127.0.0.1:4200/api",
    "http://localhost:4200/api",
    "http://LOCALHOST./",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://\u2460\u2461\u2466.0.0.1/",
    "http://0/",
    "http://10.0.0.7/",
    "http://192.168.1.1/",
    "http://172.16.0.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[fe80::1]/",
    "http://224.0.0.1/",
    "http://minio:9000/",
    "http://db.corp.internal/",
    "http://server.hitl.svc:4200/",
    "http://kubernetes.default.svc/",
    "http://kubernetes.default/",
    "http://10-0-0-7.hitl.pod/",
    "http://server.hitl-prod/",
    "http://redis.app_default/",
    "http://localhost.localdomain/",
    "http://localhost6.localdomain6/",
    "http://redis.service.consul/",
    "http://db.corp/",
    "http://x.home/",
    "http://x.private/",
    "http://[fec0::1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[100::1]/",
    "http://[2001:db8::1]/",
]
"""Every way to write an address inside that we know of."""
TWO_HOSTS = [
    "http://example.com@169.254.169.254/",
    "http://example.com\\@169.254.169.254/",
    "http://169.254.169.254\\.example.com/",
    "http://169.254.169.254\n.example.com/",
    "http://169.254.169.254\t/",
    "http://user:password@example.com/",
    "http:///latest",
    "http:example.com",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "//169.254.169.254/",
    "",
]
"""What one parser reads as one host and another as another, and what is no web address."""


@pytest.mark.parametrize("url", INWARDS + TWO_HOSTS)
def test_an_address_that_leads_inwards_is_refused(url):
    with pytest.raises(ConfigError, match=r"HITL_ALLOWED_HOSTS does not allow|whose host is not plain"):
        check_address(url, what="an image")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        "http://8.8.8.8/",
        "https://sub.b\u00fccher.example/",
        "https://\u4f8b\u5b50.\u4e2d\u56fd/",
        "http://[2606:4700:4700::1111]/",
    ],
)
def test_a_public_address_is_followed_unless_the_operator_lists_hosts(url, monkeypatch):
    check_address(url, what="an image")
    monkeypatch.setenv("HITL_ALLOWED_HOSTS", "s3.example.com")

    with pytest.raises(ConfigError, match=r"which HITL_ALLOWED_HOSTS does not allow .*: add the host there$"):
        check_address(url, what="an image")


@pytest.mark.parametrize(
    ("entries", "url"),
    [
        ("minio", "http://minio:9000/"),
        ("public, *.corp.internal", "https://s3.eu.CORP.internal/"),
        ("10.0.0.0/8", "http://10.1.2.3/"),
        ("[::1]", "http://[::1]:9000/"),
        ("127.0.0.1", "http://2130706433/"),
    ],
)
def test_the_operator_may_allow_a_host_inside(entries, url, monkeypatch):
    monkeypatch.setenv("HITL_ALLOWED_HOSTS", entries)

    check_address(url, what="a store")


def test_the_name_above_a_wildcard_is_not_below_it(monkeypatch):
    monkeypatch.setenv("HITL_ALLOWED_HOSTS", "*.example.com")
    allowed = allowed_hosts()

    assert [allowed.names_it(host) for host in ("a.example.com", "example.com", "evilexample.com")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("entry", ["https://example.com", "10.0.0.0/99", "a b", "*", "example.*"])
def test_an_entry_that_allows_nothing_is_named(entry, monkeypatch):
    """Silently it would be an open door, or a shut one."""
    monkeypatch.setenv("HITL_ALLOWED_HOSTS", entry)

    with pytest.raises(ConfigError, match="HITL_ALLOWED_HOSTS holds"):
        allowed_hosts()


@pytest.mark.parametrize("url", [METADATA, "http://intranet/logo.png", "http://example.com@10.0.0.1/"])
def test_an_image_of_a_case_file_that_leads_inwards_is_a_bad_line(url, tmp_path):
    line = {"id": "c1", "messages": [{"role": "user", "content": ["Read this.", {"url": url}]}]}
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(line))
    case = Case(id="c1", task="mail", prompt=(Message(role="user", content=("Read this.", Image(url=url))),))

    for source in (path, [line], [case]):
        [bad] = read_cases(source, task="mail")
        assert isinstance(bad, BadLine)
        assert bad.problems[0].startswith("messages: an image ")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/etc/passwd", "data:image/png;base64,AAAA"])
def test_a_case_file_names_no_file_of_this_machine(url):
    [bad] = read_cases([{"id": "c1", "messages": [{"role": "user", "content": [{"url": url}]}]}], task="mail")

    assert isinstance(bad, BadLine)


@pytest.mark.parametrize("kind", [OpenAIProvider, AnthropicProvider])
async def test_no_model_server_is_asked_to_fetch_what_is_inside(kind):
    """A server of one's own stands in the private network, and would."""
    messages = (Message(role="user", content=("Read this.", Image(url=METADATA))),)
    with mailbox() as server:
        provider = kind("m", api_key=SecretStr("k"), base_url=server.url)
        with pytest.raises(ConfigError, match=r"an image is at '169\.254\.169\.254'"):
            await provider.generate(Request(messages=messages, answer=str))

        assert server.sent == []


@pytest.mark.parametrize("kind", [OpenAIProvider, AnthropicProvider])
async def test_a_model_server_that_redirects_is_not_followed(kind):
    """With the prompt, and to wherever it says."""
    with mailbox() as inside, redirecting(f"{inside.url}/latest") as server:
        provider = kind("m", api_key=SecretStr("k"), base_url=server)
        with pytest.raises(ProviderError):
            await provider.generate(Request(messages=(Message(role="user", content="Secret."),), answer=str))

        assert inside.sent == []


@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.1:9000", "minio:9000", "[::1]:9000"])
@pytest.mark.parametrize("named", [store_for, lambda url: list(read_cases(f"{url}", task="mail")), provider_for])
def test_an_endpoint_in_a_url_that_leads_inwards_is_refused(named, host):
    """Stores, sources and trained models are parameters of deployed flows."""
    url = f"s3://outcomes/cases.jsonl?endpoint_url=http://{host}"

    with pytest.raises(ConfigError, match=r"endpoint_url of the store.*or save the endpoint in a store block"):
        named(f"embedded:support@{url}" if named is provider_for else url)


@pytest.fixture
def rebound(monkeypatch):
    """A public name that leads to this machine once it is connected to, and the keys that would be sent there."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more: real(host.replace("s3.example.com", "127.0.0.1"), *more)
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SK")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with mailbox() as server:
        yield server


def test_a_name_that_leads_inwards_when_it_is_connected_to_is_sent_nothing(rebound):
    """DNS rebinding: what is looked at is the number that was reached, before a byte is sent."""
    store = store_for(f"s3://outcomes?endpoint_url=http://s3.example.com:{rebound.server_port}")
    with pytest.raises(ConfigError, match=r"'s3.example.com' leads to 127.0.0.1, .* nothing was sent"):
        store.get("a.json")

    assert rebound.sent == []


@pytest.mark.parametrize("entries", ["s3.example.com", "public,127.0.0.0/8"])
def test_a_name_or_a_network_that_is_allowed_is_connected_to(rebound, entries, monkeypatch):
    monkeypatch.setenv("HITL_ALLOWED_HOSTS", entries)
    store_for(f"s3://outcomes?endpoint_url=http://s3.example.com:{rebound.server_port}").get("a.json")

    assert [one.path for one in rebound.sent] == ["/outcomes/a.json"]


@pytest.mark.parametrize("query", ["region=evil.example/", "region=a@evil.example", "verify=/etc/hostname\x00"])
def test_no_other_parameter_of_a_store_s_url_leads_elsewhere(query):
    with pytest.raises(ConfigError):
        store_for(f"s3://outcomes?{query}").connect()


@pytest.mark.parametrize("model", ["http://169.254.169.254/v1", "openai@http://10.0.0.1:gpt", "file:///etc/passwd"])
def test_the_name_of_a_model_is_no_address(model):
    """It is a parameter of deployed flows too; where a model is asked, only blocks and the environment say."""
    with pytest.raises(ConfigError, match="names no known provider"):
        provider_for(model)
