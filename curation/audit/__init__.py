"""What is wrong with a dataset: leaks, contradictions, odd images, shortcuts, imbalance, likely label errors.

To add a finding, write a file with a function from `Rows` to `Finding`s, and call it in `audit.py`.
"""
