"""Workflows: one workflow, one file, a frozen Config and a run."""
