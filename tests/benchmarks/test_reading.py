from benchmarks import reading
from hitl_prefect.stores import FolderStore


def test_every_part_reads_what_was_made(tmp_path):
    """The made outcomes are valid, and each part gets through them."""
    reading._fill(tmp_path, 60)
    store = FolderStore(tmp_path)
    found = {name: part(store) for name, part in reading._PARTS.items()}

    assert len(found["`gather`, JSON"].evidence) == found["`read_outcomes`, Parquet"] == 60
    assert found["`gather`, Parquet"] == found["`gather`, JSON"]
