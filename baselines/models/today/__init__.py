"""Rows that every reader expects today and no paper of ours has, one a file."""
