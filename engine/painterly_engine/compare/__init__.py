"""``painterly compare``: the same picture by several methods, networks and settings, in one grid, table and page."""
