"""The stream role: decode, normalise, classify, route, enrich, write."""
