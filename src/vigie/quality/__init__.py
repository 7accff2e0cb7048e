"""How good the answers are: agreement, gold questions, doubted answers, pace; and what a reviewer settles."""
