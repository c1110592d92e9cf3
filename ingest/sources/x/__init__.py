"""The X source: streams, archives and compliance notices in every form that X and its users write."""
