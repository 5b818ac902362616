"""The command line: parses arguments, calls the libraries, prints. One command a file."""
