"""A stub of Amazon S3 Vectors for tests: README.md says what it does and how it is started."""
