"""Routes every LLM query to the right model."""

__version__ = "0.1.0"
