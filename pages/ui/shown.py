"""A case as it is on the screen: one class, or the difference of two, in one view."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from ecgimn.draw.view import View
from ecgimn.explain.explanation import Explanation, contrast, one_class
from ecgimn.explain.ledger import Ledger
from ecgimn.model.card import ModelCard
from ecgimn.signal.reading import SignalReading


@dataclass(frozen=True, eq=False)
class Shown:
    """A case as it is on the screen.

    Attributes
    ----------
    reading, explanation, ledger, card
        Of one recording and one model.
    first : str
        The class shown.
    against : str or None
        The class that is taken away from it, if it is another one.
    look : View
        As chosen, whatever its class.
    """

    reading: SignalReading
    explanation: Explanation
    ledger: Ledger
    card: ModelCard
    first: str
    against: str | None
    look: View

    @property
    def second(self) -> str | None:
        """The class taken away; None where one class is shown alone."""
        return None if self.against == self.first else self.against

    def of_class(self, name: str) -> Shown:
        """Return the same case with another class shown, in the same view."""
        return replace(self, first=name)

    @cached_property
    def view(self) -> View:
        """The view of the class or difference shown."""
        first = self.explanation.index(self.first)
        return replace(
            self.look, class_index=first if self.second is None else (first, self.explanation.index(self.second))
        )

    @cached_property
    def seen(self) -> Explanation:
        """The explanation of the class or difference shown, alone."""
        if self.second is None:
            return one_class(self.explanation, self.first)
        return contrast(self.explanation, self.first, self.second)

    @cached_property
    def table(self) -> Ledger:
        """The ledger that holds the class or difference shown."""
        return self.ledger if self.second is None else self.ledger.contrast(self.first, self.second)

    @property
    def name(self) -> str:
        """What is printed for the class or difference shown."""
        return self.seen.classes[0]

    @property
    def threshold(self) -> float | None:
        """Operating point on the probability of the class shown, where the card has one."""
        points = self.card.thresholds.get("youden", ())
        return points[self.explanation.index(self.first)] if points and self.second is None else None
