"""Saved objects for Kibana: data views, saved searches, dashboards and an alert rule, written by `ops.kibana.write`."""
