"""`python -m obs2anki` is the command `obs2anki`."""

from obs2anki.cli import main

if __name__ == "__main__":
    main()
