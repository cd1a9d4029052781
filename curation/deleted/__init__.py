"""What becomes of posts that their source has deleted: the work of `python -m curation.purge`.

held          what each version of a dataset still shows of which posts
copies        duplicates of deleted posts that take their place
rewrite       a release without the deleted posts
run_results   the results of training, cleared of what shows posts
outside       copies elsewhere, each with the command that clears it
removal       all of it, in an order that may be killed at any instant
"""
