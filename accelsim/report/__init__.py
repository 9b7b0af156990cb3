"""Report: results of one network as one HTML file that needs no other."""

from accelsim.report.page import report

__all__ = ["report"]
