"""Connections to addresses that strangers name: only to those that anybody on the internet could reach."""
