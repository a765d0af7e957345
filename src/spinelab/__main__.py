"""``python -m spinelab``: the command line, where the script ``spinelab`` is not on the path."""

from spinelab.serve.cli import main

if __name__ == "__main__":
    main()
