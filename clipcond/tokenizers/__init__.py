"""Text to ids, as each tower was trained."""
