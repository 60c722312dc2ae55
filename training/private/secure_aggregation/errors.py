"""How a round ends without a sum, and what a party refuses."""

from feature_repo.errors import InputError, RefrainError

NEXT = "start a round of another name  (nothing of this one can be used again)"


class RoundAborted(RefrainError):
    """A round ended without a sum, and nobody learned anything of what the silos sent.

    >>> RoundAborted.because("2 silos are left, 3 are needed").reason
    '2 silos are left, 3 are needed'
    """

    @classmethod
    def because(cls, reason: str) -> "RoundAborted":
        """The error with a reason, in a sentence's words."""
        return cls(expected="a round that ends with a sum", found=reason, next_command=NEXT)

    @property
    def reason(self) -> str:
        """Why it ended."""
        return self.found


class RoundRefused(InputError):
    """A message, or a whole round, that a party does not take part in."""

    @classmethod
    def because(cls, expected: str, found: str) -> "RoundRefused":
        """The error of what was expected and what came instead."""
        return cls(expected=expected, found=found, next_command=NEXT)


class NothingPublished(RefrainError):
    """The coordinator has published nothing under a name, yet."""

    @classmethod
    def within(cls, name: str, seconds: float) -> "NothingPublished":
        """The error after some seconds of waiting."""
        return cls(
            expected=f"{name}, published by the coordinator",
            found=f"nothing within {seconds:g} s",
            next_command="see whether the coordinator still runs, and fetch it again",
        )
