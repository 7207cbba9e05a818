"""Every S3 store: who may write, how its certificate is checked, and where secrets never show."""

import os
import pickle
import traceback
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import boto3
import pytest
from pydantic import SecretStr

from hitl_prefect.errors import ConfigError, StoreDenied, StoreError
from hitl_prefect.stores import S3Store

KEY = "outcomes/v1/task=invoices/dt=2026-01-02/c1.json"
WRONG = "WRONGSECRETwrongsecret"


checks_signatures = pytest.mark.parametrize("s3_target", ["ceph", "ceph_tls", "rclone", "rclone_tls"], indirect=True)


@checks_signatures
def test_a_wrong_secret_is_denied(s3_target):
    store = s3_target.store(aws_secret_access_key=SecretStr(WRONG))
    for call in (lambda: store.put_once(KEY, b"{}"), lambda: store.get(KEY), store.keys):
        with pytest.raises(StoreDenied, match=r"403 SignatureDoesNotMatch .* check the secret key"):
            call()


@checks_signatures
def test_an_unknown_access_key_is_denied(s3_target):
    with pytest.raises(StoreDenied, match="403 InvalidAccessKeyId"):
        s3_target.store(aws_access_key_id="NOBODY").put_once(KEY, b"{}")


def test_a_missing_bucket_is_named(s3_target):
    with s3_target.server.store("no-such-bucket") as store:
        for call in (lambda: store.put_once(KEY, b"{}"), lambda: store.get(KEY), store.keys):
            with pytest.raises(StoreDenied, match=r"no-such-bucket.*create the bucket"):
                call()


def test_a_name_that_no_bucket_can_have_is_a_mistake_in_the_configuration(s3_target):
    with s3_target.server.store("not a bucket") as store, pytest.raises(ConfigError, match="not a bucket"):
        store.put_once(KEY, b"{}")


def test_no_keys_at_all_are_denied(s3_target, monkeypatch, tmp_path):
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    store = s3_target.store(aws_access_key_id=None, aws_secret_access_key=None)

    with pytest.raises(StoreDenied, match="AWS_ACCESS_KEY_ID"):
        store.put_once(KEY, b"{}")


@pytest.mark.parametrize("s3_target", ["ceph_tls", "rclone_tls"], indirect=True)
def test_a_certificate_of_an_unknown_authority_is_denied(s3_target):
    with pytest.raises(StoreDenied, match=r"verify=/path/ca\.pem"):
        s3_target.store(verify=True).put_once(KEY, b"{}")


def test_a_missing_ca_file_is_a_mistake_in_the_configuration():
    with pytest.raises(ConfigError, match=r"/no/such/ca\.pem"):
        S3Store("outcomes", verify="/no/such/ca.pem").keys()


def test_a_damaged_object_is_not_handed_out(s3_target):
    """Somebody changed the bytes behind the store's back; the sha256 stored with them tells."""
    store = s3_target.store()
    store.put_once(KEY, b"ours")
    client = s3_target.server.client()
    head = client.head_object(Bucket=s3_target.bucket, Key=f"{s3_target.prefix}/{KEY}")
    client.put_object(Bucket=s3_target.bucket, Key=f"{s3_target.prefix}/{KEY}", Body=b"bent", Metadata=head["Metadata"])
    client.close()

    with pytest.raises(StoreError, match="sha256 differs"):
        store.get(KEY)


@pytest.mark.parametrize("s3_target", ["moto", "ceph"], indirect=True)
def test_more_than_one_page_is_listed(s3_target):
    store = s3_target.store()
    expected = [f"outcomes/{number:04}.json" for number in range(1001)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store.write, expected, [b"{}"] * 1001))

    assert store.keys("outcomes/") == expected


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_makes_its_own_client(s3_target):
    store = s3_target.store()
    store.put_once(KEY, b"ours")
    child = os.fork()
    if child == 0:
        os._exit(0 if store.put_once(KEY, b"ours") == "already" and store.get(KEY) == b"ours" else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.get(KEY) == b"ours"


class Credentials:
    """What prefect-aws blocks look like from outside."""

    def __init__(self, server, **parameters):
        self.server, self.region_name = server, "us-east-1"
        self.aws_client_parameters = SimpleNamespace(endpoint_url=server.endpoint_url, **parameters)

    def get_boto3_session(self):
        return boto3.session.Session(self.server.access_key, self.server.secret_key)


def test_a_credentials_block_of_prefect_aws_is_enough(s3_target):
    """Its client parameters are honoured, its own client is not used: it has no checksum setting."""
    verify = s3_target.server.verify
    parameters = {"verify_cert_path": verify} if isinstance(verify, str) else {"verify": True, "verify_cert_path": None}
    credentials = Credentials(s3_target.server, config={"connect_timeout": 3}, **parameters)
    store = S3Store.from_credentials(credentials, bucket=s3_target.bucket, prefix=s3_target.prefix)
    with pickle.loads(pickle.dumps(store)) as copy:
        assert [copy.put_once(KEY, b"ours"), copy.get(KEY)] == ["created", b"ours"]


def test_anything_else_is_no_credentials():
    with pytest.raises(ConfigError, match="get_boto3_session"):
        S3Store.from_credentials("s3cret", bucket="outcomes")


@checks_signatures
def test_secrets_show_neither_in_the_store_nor_in_its_errors(s3_target):
    store = s3_target.store(aws_secret_access_key=WRONG, aws_session_token="TOKENtokenTOKEN")
    try:
        store.put_once(KEY, b"{}")
    except StoreError as exc:
        shown = "".join(traceback.format_exception(exc))
    shown += repr(store) + str(store) + store.url + str(vars(store))

    assert not [secret for secret in (WRONG, "TOKENtokenTOKEN") if secret in shown]


def test_parameters_that_botocore_refuses_are_a_mistake_in_the_configuration():
    with pytest.raises(ConfigError, match="TypeError"):
        S3Store("outcomes", config={"no_such_option": 1}).keys()
