"""What operators need around the product; nothing here is imported by it."""
