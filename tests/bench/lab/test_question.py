from __future__ import annotations

from pixstore.bench.lab.question import Observed, Question, Trial


def test_a_question_has_one_share_unless_it_says_otherwise() -> None:
    assert Question.weight == 1.0


def test_what_was_observed_has_no_measures_and_no_proof_unless_given() -> None:
    seen = Trial("packed/png", 10, {"order": "shuffled"}, lambda: Observed(1.5)).measure()
    assert (seen.seconds, dict(seen.measures), dict(seen.proof)) == (1.5, {}, {})
