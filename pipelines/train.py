"""The command ``eventsnn train``: the workflow of ``classify``."""

from .classify import Config, run

__all__ = ["Config", "run"]
