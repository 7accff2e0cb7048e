"""Learning from answers: what to train on, how good it is, whether it takes over, and what to ask next."""

from vigie.learner.loop import Learner, Plan
from vigie.learner.trainer import Trained

__all__ = ["Learner", "Plan", "Trained"]
