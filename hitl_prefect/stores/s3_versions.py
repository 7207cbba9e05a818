"""The versions of one object, in buckets that keep them."""

from typing import Any

__all__ = ["older_versions"]

_NO_VERSIONS = {"NotImplemented", "MethodNotAllowed"}


def older_versions(client: Any, bucket: str, name: str, *, keep_latest: bool) -> list[str]:
    """The ids of the versions of an object, and of the marks that say it was deleted.

    Args:
        client: A boto3 client for S3.
        bucket: The bucket.
        name: The whole name of the object.
        keep_latest: Leave out the version that stands.

    Returns:
        Empty where the bucket never kept versions: there the object itself is all that there is.
    """
    from botocore.exceptions import ClientError

    try:
        pages = list(client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=name))
    except ClientError as exc:
        if exc.response.get("Error", {}).get("Code") in _NO_VERSIONS:
            return []
        raise
    found = [one for page in pages for kind in ("Versions", "DeleteMarkers") for one in page.get(kind, ())]
    return [one["VersionId"] for one in found if one["Key"] == name and not (keep_latest and one["IsLatest"])]
