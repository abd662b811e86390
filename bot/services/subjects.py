"""Which kind of offer somebody's own words are about."""

import re

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

_ASKED_FOR = re.compile(
    r"(?:还|最近|现在|今天|这里|你们|请问)*(?:有没有(?:什么)?(.{1,8}?)|有(.{1,8}?)[吗么])[呢啊呀?]*|"
    r"(?:is there|are there|do you have|any)(?: any)? (.{3,20}?)[?.]*"
)


def category_asked_for(words: str) -> str:
    """The category of which `words` ask whether there is any (有没有志愿, any volunteering?), or nothing."""
    match = _ASKED_FOR.fullmatch(normal(words[:200]))
    return category_in(match[match.lastindex or 0]) if match else ""


def category_in(words: str) -> str:
    """The category that `words` name, or nothing."""
    said = normal(words[:200])
    return next((category for category, parts in _WORDS.items() if any(part in said for part in parts)), "")
