"""`python -m tagstream`: the command line, for where its script is not on the path."""

from tagstream.command_line import main

main()
