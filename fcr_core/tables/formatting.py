"""Numbers as a reader wants them: a real minus sign, and as many digits as they have."""

from __future__ import annotations

import math
from collections.abc import Callable


def number(value: float, digits: int | None = None) -> str:
    """Write fixed digits, or four significant ones, with a real minus sign.

    >>> number(-0.25, 1), number(0.000438123)
    ('−0.2', '0.0004381')
    """
    return (f"{value:.4g}" if digits is None else f"{value:.{digits}f}").replace("-", "−")


def percent(value: float) -> str:
    r"""Write a share with its sign, one decimal and a space that does not break.

    >>> percent(-0.0581)
    '−5.8\xa0%'
    """
    return f"{100 * value:+.1f}\xa0%".replace("-", "−")


def interval(
    value: float, low: float, high: float, digits: int | None = None, written: Callable[[float], str] | None = None
) -> str:
    r"""Write a value with its interval; the value alone when the interval has no width, or there is none.

    `written` writes one number, in place of `number` with `digits`.

    >>> interval(1.234, 1.1, 1.36, 2), interval(0.02, 0.02, 0.02), interval(0.1, 0.05, 0.15, written=percent)
    ('1.23 [1.10, 1.36]', '0.02', '+10.0\xa0% [+5.0\xa0%, +15.0\xa0%]')
    """
    text = written or (lambda one: number(one, digits))
    return text(value) if low == high or math.isnan(low) else f"{text(value)} [{text(low)}, {text(high)}]"
