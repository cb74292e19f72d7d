"""report.html: what was measured, who wins, how it grows, what each question of the lab gave; one file that needs nothing else."""

from pixstore.bench.report.document import NAME, render, write

__all__ = ["NAME", "render", "write"]
