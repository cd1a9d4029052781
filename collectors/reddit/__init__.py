"""Reddit: interchangeable sources of posts, one parser, one command (`python -m collectors.reddit`)."""
