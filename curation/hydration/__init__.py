"""Rebuild a full release from an ids release."""
