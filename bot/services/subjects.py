"""Which kind of offer somebody's own words are about."""

from bot.words import normal

# In this order: 直播培训 is a training, whatever else is in the sentence.
_WORDS: dict[str, tuple[str, ...]] = {
    "health": ("体检", "义诊", "看病", "检查身体", "疗休养", "眼科", "health", "checkup", "check-up", "clinic"),
    "legal": ("律师", "法律", "官司", "维权", "legal", "lawyer"),
    "training": ("培训", "学", "课", "讲座", "training", "course", "class"),
    "volunteer": ("志愿", "volunteer"),
    "gift": ("礼包", "礼物", "领取", "慰问品", "gift"),
    "venue": ("场馆", "场地", "球馆", "图书馆", "博物馆", "入馆", "venue"),
    "event": ("活动", "饺子", "聚会", "event"),
}


def category_in(words: str) -> str:
    """The category that `words` name, or nothing."""
    said = normal(words[:200])
    return next((category for category, parts in _WORDS.items() if any(part in said for part in parts)), "")
