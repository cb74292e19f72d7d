"""The lab: questions that the classic experiment leaves open, each asked of several ways under several settings."""
