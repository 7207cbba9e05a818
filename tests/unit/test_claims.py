"""Whose run it is, and whether that worker's process still runs."""

import subprocess
import sys

from hitl_prefect.worker.claims import Claim


def test_a_claim_is_read_back_from_the_message_of_a_state():
    mine = Claim.mine("worker, process 1 of 'two'")

    assert Claim.of(mine.written) == mine


def test_other_messages_are_no_claims():
    assert [Claim.of(message) for message in (None, "", "approve by ada", "by worker w, process x")] == [None] * 4


def test_a_process_is_dead_when_it_ended_or_its_id_is_used_again():
    mine = Claim.mine("w")
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    claims = [
        mine,
        mine.model_copy(update={"began": mine.began - 1}),
        mine.model_copy(update={"pid": int(ended.stdout)}),
    ]

    assert [claim.is_dead_here() for claim in claims] == [False, True, True]


def test_nobody_can_tell_from_here_whether_a_process_elsewhere_is_dead():
    elsewhere = Claim.mine("w").model_copy(update={"place": "0"})

    assert elsewhere.is_dead_here() is None
