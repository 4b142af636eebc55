"""List weights in Chinese numerals: `（猫：两倍）`, and next to others `（猫：二）`.

`（春：一）`, `（小份：二）` and `（奶茶：半）` are ordinary in a prompt without weights.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import (
    CJK,
    EXCEPT_PLAIN,
    NO_MEASURE_BEFORE,
    Notation,
    not_after,
)
from clipcond.prompt.numeral_values import DIGIT, DOUBTFUL_NUMERAL, SURE_NUMERAL, TIMES
from clipcond.prompt.other_dialects import A1111S

# What is counted or called by a number: （图：一）, （星期：二）, （变焦：三倍）, and ratios.
_COUNTED = not_after(
    "图 圖 表 例 注 註 第 周 週 期 拜 章 节 節 卷 册 冊 集 部 篇 回 幕 页 頁 题 題 层 層"
    " 楼 樓 步 骤 驟 号 號 数 數 量 名 次 级 級 位 班 组 組 队 隊 季 年 时 時 分 秒 岁 歲"
    " 案 项 項 问 問 答 选 選 类 類 型 则 則 条 條 系列 方案 顺序 順序 权重 權重 比重 重み"
    " 强度 強度 结果 結果 得分 变焦 變焦 放大 镜头 鏡頭 力量 经验 經驗 音量 倍 折扣 利润"
    " 税 是 为 為 约 約 共 计 計 剩余 剩下 进度 進度 第一 零 〇 一 二 两 兩 三 四 五 六 七"
    " 八 九 十 百 千 万 萬 半 长 長 宽 寬 高 深 厚 重 速 度 排"
    " 支持 反对 反對 赞成 贊成 赞同 同意 弃权 降雨 降水 概率 几率 機率 胜率 占比 含量 浓度 酒精"
    " 电量 電量 库存 庫存 完成 增长 增長 上涨 下降 下跌 涨幅 跌幅 投票 人口 可能 股份 语文 数学"
)
_COLON = r"\s?:\s{0,3}"
_WORDS = rf"(?P<words>[^()\[\]{{}}:\n]{{0,60}}[^\W\d_])(?=\s?:){NO_MEASURE_BEFORE}{_COUNTED}"
_SURE, _DOUBTFUL = (rf"{_COLON}(?P<number>{n})\s?[)\]}}]" for n in (SURE_NUMERAL, DOUBTFUL_NUMERAL))
_WEIGHTS = re.compile(rf"{A1111S.pattern}|[^\W\d]{_SURE}")
NO_NUMBER = "no weight, because it is no plain number"
_WRITE = "Write {weight}."
NUMERAL_WEIGHTS = (
    *(
        Notation(
            "weight",
            ":",
            re.compile(rf"(?<!\\)[(\[{{]{_WORDS}{number}"),
            EXCEPT_PLAIN,
            NO_NUMBER,
            _WRITE,
            hint=hint,
        )
        for number, hint in ((_SURE, re.compile(_SURE)), (_DOUBTFUL, _WEIGHTS))
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?:\A|(?<=[,;、\n]))\s?(?P<shown>(?P<words>[{CJK}]{{1,20}})(?=\s?:){NO_MEASURE_BEFORE}"
            rf"{_COUNTED}\s?:(?P<number>[零〇一二两兩]点{DIGIT}{{1,2}}|{TIMES}))"
            r"(?=\s{0,3}(?:[,;、.\n]|\Z))"
        ),
        EXCEPT_PLAIN,
        "no weight without brackets",
        _WRITE,
        bare=True,
        hint=re.compile(rf":(?:[零〇一二两兩]点{DIGIT}|{TIMES})"),
    ),
)
