"""Remove posts that their source has deleted: the work of `python -m curation.purge`.

copies        duplicates that are published in place of deleted posts
rewrite       a release without the deleted posts
run_results   results of training, without what shows posts
outside       copies elsewhere, each with the command that removes it
removal       all steps, in an order that survives being killed at any instant

What each version of a dataset still shows of its posts is in `curation.release.held`.
"""
