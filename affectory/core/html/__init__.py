"""HTML pages that open offline: markup, page shell, style sheet, script, SVG primitives, thumbnails."""
