"""List what looks like alternation in dialect 'a1111', `[a|b]`, and is none anywhere."""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import EXCEPT_PLAIN, OPTION, WHEN, Notation, not_after

# No label of a tag or a sentence: [artist:wlop]
TAGGED = (
    r"(?!(?i:rating|artist|character|copyright|style|species|meta|score|title|name|note|text|time|by"
    r"|series|source|date|age|color|colour|camera|lens|lighting|mood|setting|scene|subject|background"
    r"|seed|size|model|general|user|https?|re|fate|todo|fixme|warning|chapter|part|format|type|genre"
    r"|medium|quality|speaker|laughs?|sep|cls|nsfw|sfw|lora|lyco|hypernet|embedding):)"
)
# The label of what follows it, as in 风格:水彩
NO_LABEL = not_after(
    "风格 主题 主体 标题 题目 题材 场景 背景 人物 角色 画风 画质 质量 色调 色彩 颜色 构图 光线 "
    "光影 光源 灯光 视角 镜头 景别 材质 纹理 情绪 氛围 气氛 心情 时间 时代 季节 天气 地点 位置 "
    "环境 作者 作品 艺术家 摄影师 备注 注意 提示 提示词 说明 要求 内容 服装 发型 表情 动作 姿势 "
    "细节 特征 年龄 性别 职业 类型 格式 媒介 相机 参数 参考 公告 通知 新品 价格 元素 描述 名称 "
    "名字 名前 場所 時間 注 スタイル タイトル テーマ キャラ 제목 스타일 배경 주제 장소 시간"
)
_MIXED = "no editing: an alternation in it needs brackets of its own"
_PLAIN_PART = r"[^\[\]():|\\\n]{0,99}"
_COLONED = r"(?:[^\[\]()|\n]|\([^()\[\]\n]{0,80}\)){0,99}"  # a text that may have colons
_TITLES = r"(?i:re|nier|fate|artist|character|copyright|series|by)"  # [re:zero|cat]
ALTERNATION_SLIPS = (
    *(
        Notation(
            "no-editing",
            "|",
            re.compile(
                rf"\[(?={_COLONED}\|)(?={condition})(?P<options>{_COLONED}(?:\|{_COLONED}){{1,9}})\]"
            ),
            EXCEPT_PLAIN,
            f"no alternation: {cause}",
            "Write [{alternation}] in dialect 'a1111'.",
        )
        for condition, cause in (
            (
                rf"(?:{_COLONED}\|)?{OPTION}:{OPTION}:\s*{WHEN}\s*\|",
                "an edit in it needs brackets of its own",
            ),
            (
                r"[^\[\]|\n]{0,200}(?<!\d):\s?(?:[0-2]?\.\d{1,3}|[0-2])\s?\|",
                "a weight in it needs brackets of its own",
            ),
            (
                rf"{_PLAIN_PART}:{_PLAIN_PART}\|{_PLAIN_PART}:(?!\s*{WHEN}\s*\])"
                rf"|{_TITLES}:{_PLAIN_PART}\||{TAGGED}{_PLAIN_PART}:\s[^\W\d]"
                rf"|{_PLAIN_PART}\|{_PLAIN_PART}:\s[^\W\d]",
                "a colon in it needs a backslash",
            ),
        )
    ),
    Notation(
        "no-editing",
        "|",
        re.compile(rf"\[(?=[^\[\]:]*\|)(?P<words>[^\[\]:]+):\s*{WHEN}\s*\]"),
        EXCEPT_PLAIN,
        "neither alternation nor editing: a number is at its end",
        "Write [{words}] in dialect 'a1111' to alternate.",
    ),
    Notation(
        "no-editing",
        "|",
        re.compile(
            rf"\[(?P<from>{OPTION}):(?P<to>{OPTION}\|(?:{OPTION}\|)?{OPTION}):\s*(?P<when>{WHEN})\s*\]"
        ),
        EXCEPT_PLAIN,
        _MIXED,
        "Write [{from}:[{to}]:{when}] in dialect 'a1111'.",
    ),
    Notation(
        "no-editing",
        "|",
        re.compile(
            rf"\[(?P<from>{OPTION}\|(?:{OPTION}\|)?{OPTION}):(?P<to>{OPTION}):\s*(?P<when>{WHEN})\s*\]"
        ),
        EXCEPT_PLAIN,
        _MIXED,
        "Write [[{from}]:{to}:{when}] in dialect 'a1111'.",
    ),
    Notation(
        "no-editing",
        "|",
        re.compile(
            rf"\[{TAGGED}(?P<from>[^\W\d]{OPTION}){NO_LABEL}(?<!\\):(?P<to>{OPTION}\|(?:{OPTION}\|)?{OPTION})\]"
        ),
        EXCEPT_PLAIN,
        _MIXED,
        "Write [{from}:[{to}]:0.5] in dialect 'a1111'.",
    ),
    Notation(
        "no-editing",
        "|",
        re.compile(
            rf"\[(?P<from>[^\W\d]{OPTION}\|(?:{OPTION}\|)?{OPTION})(?<!\\):(?P<to>(?![\d.]){OPTION})\]"
        ),
        EXCEPT_PLAIN,
        _MIXED,
        "Write [[{from}]:{to}:0.5] in dialect 'a1111'.",
    ),
)
