"""A sandbox post as Reddit's JSON object of a submission.

The keys are those that all posts of a recorded r/popular listing (2026) have, and those of their kind:
`preview` and `post_hint` of images, `gallery_data` and `media_metadata` of galleries, `crosspost_parent_list`
of crossposts. As in the recording, most values are null or empty.
"""

from __future__ import annotations

from typing import Any

from collectors.sandbox.generated import stable
from collectors.sandbox.generated.posts import EXTENSION, MIME, Picture, SandboxPost
from collectors.sandbox.generated.shapes import base36, permalink

Json = dict[str, Any]


def _names(text: str) -> list[str]:
    return text.split()


_NULL = _names("""
approved_at_utc approved_by author_flair_background_color author_flair_css_class
author_flair_template_id author_flair_text author_flair_text_color banned_at_utc banned_by category
content_categories discussion_type distinguished likes link_flair_css_class link_flair_text mod_note
mod_reason_by mod_reason_title num_reports removal_reason removed_by removed_by_category report_reasons
suggested_sort thumbnail_height thumbnail_width top_awarded_type view_count media secure_media
selftext_html
""")
_FALSE = _names("""
allow_live_comments archived author_is_blocked author_patreon_flair author_premium can_gild can_mod_post
clicked contest_mode edited hidden hide_score is_created_from_ads_ui is_meta is_original_content
is_reddit_media_domain is_self is_video locked media_only no_follow pinned quarantine saved spoiler
stickied visited
""")
_LISTS = _names("""
all_awardings author_flair_richtext awarders link_flair_richtext mod_reports treatment_tags user_reports
""")

WIDTHS = (108, 216, 320)


def submission(post: SandboxPost) -> Json:
    """Return the post as in /api/info and in listings with `raw_json=1`."""
    if post.removed == "deleted":
        return _deleted(post)
    data = _common(post)
    data |= _media(post)
    if post.removed == "moderator":
        # The link stays public; the preview is gone, and search engines may not index the post.
        data |= {"removed_by_category": "moderator", "is_robot_indexable": False, "thumbnail": "default"}
        data.pop("preview", None)
        if post.form == "text":
            data |= {"selftext": "[removed]", "selftext_html": None}
    if post.parent is not None:
        parent = submission(post.parent)
        data |= {"crosspost_parent": parent["name"], "crosspost_parent_list": [parent]}
        for own in ("preview", "is_gallery", "gallery_data", "media_metadata"):
            data.pop(own, None)
    return data


def fullname_of_sub(sub: str) -> str:
    """Return a subreddit's id, as in "t5_2qh5j"."""
    return f"t5_{base36(40_000_000 + stable.number('sub', sub) % 5_000_000)}"


def _common(post: SandboxPost) -> Json:
    author = post.author
    data: Json = dict.fromkeys(_NULL) | dict.fromkeys(_FALSE, False) | {key: [] for key in _LISTS}
    data |= {
        "id": post.id,
        "name": f"t3_{post.id}",
        "subreddit": post.sub,
        "subreddit_name_prefixed": f"r/{post.sub}",
        "subreddit_id": fullname_of_sub(post.sub),
        "subreddit_type": "public",
        "subreddit_subscribers": 100_000 + stable.number("subscribers", post.sub) % 900_000,
        "title": post.title,
        "selftext": post.body,
        "author": author or "[deleted]",
        "created": float(post.created_utc),
        "created_utc": float(post.created_utc),
        "ups": post.ups,
        "downs": 0,
        "score": post.ups,
        "upvote_ratio": post.upvote_ratio,
        "num_comments": post.num_comments,
        "num_crossposts": 0,
        "permalink": permalink(post),
        "url": post.url,
        "domain": post.url.split("/")[2].removeprefix("www."),
        "over_18": post.over_18,
        "thumbnail": "nsfw" if post.over_18 else "default",
        "is_crosspostable": True,
        "is_robot_indexable": True,
        "send_replies": True,
        "author_flair_type": "text",
        "link_flair_background_color": "",
        "link_flair_text_color": "dark",
        "link_flair_type": "text",
        "gilded": 0,
        "gildings": {},
        "media_embed": {},
        "secure_media_embed": {},
        "total_awards_received": 0,
        "pwls": None if post.over_18 else 6,
        "wls": None if post.over_18 else 6,
    }
    if author is not None:
        data["author_fullname"] = f"t2_{base36(stable.number('author', author) % 36**8)}"
    return data


def _media(post: SandboxPost) -> Json:
    """Return the keys that depend on the kind of post."""
    if post.form == "text":
        html = "".join(f"<p>{paragraph}</p>\n\n" for paragraph in post.body.split("\n\n"))
        markup = f'<!-- SC_OFF --><div class="md">{html}</div><!-- SC_ON -->'
        return {"is_self": True, "domain": f"self.{post.sub}", "selftext_html": markup, "thumbnail": "self"}
    extra: Json = {"url_overridden_by_dest": post.url}
    first = post.pictures[0]
    if "reddit.com/gallery/" in post.url:
        return extra | _gallery(post)
    if post.form == "video":
        video = {
            "reddit_video": {
                "bitrate_kbps": 1200,
                "fallback_url": f"{post.url}/CMAF_480.mp4?source=fallback",
                "has_audio": True,
                "height": 480,
                "width": 640,
                "duration": 17,
                "is_gif": False,
                "transcoding_status": "completed",
            }
        }
        extra |= {"is_video": True, "media": video, "secure_media": video, "post_hint": "hosted:video"}
        return extra | {"preview": _preview(first, enabled=False)}
    is_image = post.form in ("reddit_image", "imgur_direct", "crosspost")
    extra["is_reddit_media_domain"] = post.form == "reddit_image"
    if post.created_utc > 1_400_000_000:  # older posts have neither hint nor preview
        hint = "rich:video" if post.url.endswith(".gifv") else "image" if is_image else "link"
        own = post.form in ("reddit_image", "crosspost")
        preview = _preview(first, enabled=is_image, host="preview" if own else "external")
        extra |= {"post_hint": hint, "preview": preview}
    return extra


def preview_url(picture: Picture, width: int | None = None, host: str = "external") -> str:
    """Return the signed address of a preview: https://preview.redd.it/rrinwcmrxzug1.jpeg?auto=webp&s=…"""
    signature = f"{stable.number('signature', picture.id, width):016x}" * 2
    extension = EXTENSION[picture.format]
    name = (
        f"preview.redd.it/{picture.id}.{extension}"
        if host == "preview"
        else f"external-preview.redd.it/{picture.preview_token}.jpg"
    )
    crop = f"width={width}&crop=smart&" if width else ""
    return f"https://{name}?{crop}auto=webp&s={signature}"


def _preview(picture: Picture, *, enabled: bool, host: str = "external") -> Json:
    def at(width: int | None) -> Json:
        scale = 1.0 if width is None else width / picture.width
        return {
            "url": preview_url(picture, width, host),
            "width": round(picture.width * scale),
            "height": round(picture.height * scale),
        }

    sizes = [at(width) for width in WIDTHS if width < picture.width]
    identity = picture.id if host == "preview" else picture.preview_token
    image = {"source": at(None), "resolutions": sizes, "variants": {}, "id": identity}
    return {"images": [image], "enabled": enabled}


def _gallery(post: SandboxPost) -> Json:
    items = [
        {
            "media_id": picture.id,
            "id": stable.number("item", picture.id) % 10**9,
            "is_deleted": picture.is_deleted,
            "caption": "",
        }
        for picture in post.pictures
    ]
    metadata = {picture.id: _gallery_item(picture) for picture in post.pictures}
    return {"is_gallery": True, "gallery_data": {"items": items}, "media_metadata": metadata}


def _gallery_item(picture: Picture) -> Json:
    if picture.status == "failed":
        return {"status": "failed"}
    size: Json = {"y": picture.height, "x": picture.width}
    if picture.format == "gif":
        size |= {"gif": f"https://i.redd.it/{picture.id}.gif"}
        size |= {"mp4": f"https://preview.redd.it/{picture.id}.gif?format=mp4&s={'0' * 40}"}
    else:
        size["u"] = preview_url(picture, picture.width, "preview").replace("crop=smart", "format=pjpg")
    smaller = [
        {
            "y": round(picture.height * width / picture.width),
            "x": width,
            "u": preview_url(picture, width, "preview"),
        }
        for width in WIDTHS
        if width < picture.width
    ]
    return {
        "status": "valid",
        "e": "AnimatedImage" if picture.format == "gif" else "Image",
        # Reddit writes "image/jpg" here, which is not a registered type.
        "m": "image/jpg" if picture.format == "jpeg" else MIME[picture.format],
        "p": smaller,
        "s": size,
        "id": picture.id,
    }


def _deleted(post: SandboxPost) -> Json:
    """Return what Reddit shows of a post that its author deleted."""
    gone = post.replace(title="[deleted by user]", body="", author=None, form="text", parent=None)
    path = permalink(gone)
    return _common(gone.replace(url=f"https://www.reddit.com{path}")) | {
        "selftext": "[removed]",
        "removed_by_category": "deleted",
        "is_robot_indexable": False,
        "is_self": True,
        "domain": f"self.{post.sub}",
    }


def escaped(value: Any) -> Any:
    """Return a JSON value with its strings escaped, as Reddit answers without `raw_json=1`."""
    if isinstance(value, str):
        return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if isinstance(value, dict):
        return {key: escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escaped(item) for item in value]
    return value
