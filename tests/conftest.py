"""Hypothesis settings for every suite."""

import os

from hypothesis import settings

# No deadline: a shared machine is slow at times, and that is no defect.
# Where CI is set, each run tries the same examples.
settings.register_profile("flagrank", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("flagrank")
