"""What has to be done in the end is done, and nothing else is hidden."""

import pytest

from exchange_gw.insistence import surely
from runtime.errors import Unavailable


async def test_it_is_tried_until_the_neighbour_answers() -> None:
    tries: list[int] = []

    async def operation(answer: str) -> str:
        tries.append(1)
        if len(tries) < 4:
            raise Unavailable("away")
        return answer

    assert await surely(lambda: operation("done")) == "done"
    assert len(tries) == 4


async def test_what_is_wrong_for_another_reason_is_not_repeated() -> None:
    tries: list[int] = []

    async def operation() -> None:
        tries.append(1)
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await surely(operation)
    assert tries == [1]
