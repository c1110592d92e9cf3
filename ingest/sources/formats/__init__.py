"""Readers of the formats that several sources share: lines, JSON fields, HTML, compressed files, times."""
