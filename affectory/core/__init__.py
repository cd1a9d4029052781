"""What every package of the project uses. It imports none of them."""
