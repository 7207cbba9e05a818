"""Where outcomes are kept: a folder, or a bucket of any S3-compatible store.

Both keep the same promise: an object, once written, stays as it is. Importing this module loads no SDK.
"""

from hitl_prefect.stores.folder import FolderStore
from hitl_prefect.stores.probe import Capability, probe
from hitl_prefect.stores.s3 import S3Store
from hitl_prefect.stores.urls import store_for

__all__ = ["Capability", "FolderStore", "S3Store", "probe", "store_for"]
