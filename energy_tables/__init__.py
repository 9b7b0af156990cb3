"""The shipped energy tables: one table a file, every number with its source."""
