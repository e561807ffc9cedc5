"""`python -m tf_msgan COMMAND …`, as `tf-msgan COMMAND …`."""

from tf_msgan.cli.entry import main

if __name__ == "__main__":
    main()
