"""`python -m tagstream`: the command line, for where its script is not on the path."""

from tagstream.cli import main

main()
