import pandas as pd
import pytest

from fcr_core.report.verdicts import formatted, headline, tallied

MET, NOT, UNCLEAR = "met", "not met", "inconclusive"


def criteria(**verdicts: list[str]) -> pd.DataFrame:
    rows = [(name, verdict) for name, found in verdicts.items() for verdict in found]
    return pd.DataFrame(rows, columns=["variation", "verdict"]).assign(asked=True)


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ({"a-FD-5": [MET, MET]}, "a-FD-5 meets all 2 criteria."),
        ({"a-FD-5": [MET, MET], "b-FD-5": [MET, MET], "c-FD-5": [MET, NOT]}, "a-FD-5 and b-FD-5 meet all 2 criteria."),
        ({"a-FD-5": [NOT, UNCLEAR]}, "a-FD-5 meets 0 of 2 criteria; 1 not met, 1 inconclusive."),
        # Of equally many met, the fewest not met.
        (
            {"a-FD-5": [MET, NOT], "b-FD-5": [MET, UNCLEAR]},
            "No row meets all 2 criteria; b-FD-5 comes closest: 1 met, 0 not met, 1 inconclusive.",
        ),
        (
            {"a-FD-5": [MET, NOT], "b-FD-5": [NOT, MET]},
            "No row meets all 2 criteria; a-FD-5 and b-FD-5 come closest, each with 1 met, 1 not met, 0 inconclusive.",
        ),
        # The control shows what the term under test does not do.
        ({"control-FD-5": [MET, MET], "a-FD-5": [MET, NOT]}, "a-FD-5 meets 1 of 2 criteria; 1 not met, 0 inconclusive."),
    ],
)
def test_the_headline_says_who_meets_what(verdicts, said):
    assert headline(criteria(**verdicts), ["control-FD-5"]) == said


def test_what_is_reported_beside_does_not_count():
    table = criteria(**{"a-FD-5": [MET, NOT, UNCLEAR]}).assign(asked=[True, True, False])
    assert tallied(table) == {"a-FD-5": (1, 1, 0)}


def test_values_have_the_unit_of_their_criterion():
    assert formatted("relative change", -0.02) == "−2.0\xa0%"
    assert formatted("factor", 1.4) == "1.40x"
    assert formatted("difference", -0.067) == "−0.067"
