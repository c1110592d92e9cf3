"""The benchmarks behind `tagstream bench`: speed, and the answers that photos change."""
