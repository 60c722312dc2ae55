"""One answer of a request that holds several requests."""

from typing import Generic, TypeVar

import msgspec

from refrain.client.errors import Problem, error_of_problem

Answer = TypeVar("Answer")


class BatchResult(msgspec.Struct, Generic[Answer], frozen=True):
    """The answer to one request of a batch, or its problem.

    Attributes:
        answer: the answer; None if there is a problem.
        problem: why there is no answer; None if there is one.

    >>> BatchResult(answer=3).get()
    3
    """

    answer: Answer | None = None
    problem: Problem | None = None

    def get(self) -> Answer:
        """Returns the answer.

        Raises:
            ApiError: there is none; the error has the fields of the problem.
        """
        if self.problem is not None:
            raise error_of_problem(self.problem)
        return self.answer  # type: ignore[return-value]
