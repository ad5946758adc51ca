"""One scenario, run by the official clients against the stub and against S3Mock: see run."""
