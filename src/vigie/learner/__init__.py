"""The learner role: annotations to models, and the next questions."""
