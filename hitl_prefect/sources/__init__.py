"""Where cases come from: a file of lines or rows, here or in a bucket, or anything that can be iterated.

A source is read as a stream, and a bad line never ends it. Importing this module loads no SDK.
"""

from hitl_prefect.case_lines import BadLine, Read
from hitl_prefect.sources.reading import Source, read_cases
from hitl_prefect.sources.set_aside import SetAside

__all__ = ["BadLine", "Read", "SetAside", "Source", "read_cases"]
