"""Parsers of the dates that feeds write, in many languages and time zones."""
