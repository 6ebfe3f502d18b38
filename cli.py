"""`python cli.py …`: the command line, whose commands are in the folder cli/."""

from cli.main import main

if __name__ == "__main__":
    main()
