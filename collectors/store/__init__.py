"""The crawl store: posts, images and runs in one folder. No other package contains its SQL."""

from collectors.store.layout import media_path
from collectors.store.store import Store, Task

__all__ = ["Store", "Task", "media_path"]
