"""Read weights in Chinese numerals: `（猫：二）`, `（猫：两倍）`, `（猫：百分之八十）`."""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import (
    CJK,
    EXCEPT_PLAIN,
    NO_MEASURE,
    Notation,
    not_after,
)
from clipcond.prompt.numeral_values import DIGIT, NUMERAL, TIMES

# What is counted or called by a number: （图：一）, （星期：二）, （变焦：三倍）, and ratios.
_COUNTED = not_after(
    "图 圖 表 例 注 註 第 周 週 期 拜 章 节 節 卷 册 冊 集 部 篇 回 幕 页 頁 题 題 层 層"
    " 楼 樓 步 骤 驟 号 號 数 數 量 名 次 级 級 位 班 组 組 队 隊 季 年 时 時 分 秒 岁 歲"
    " 案 项 項 问 問 答 选 選 类 類 型 则 則 条 條 系列 方案 顺序 順序 权重 權重 比重 重み"
    " 强度 強度 结果 結果 得分 变焦 變焦 放大 镜头 鏡頭 力量 经验 經驗 音量 倍 折扣 利润"
    " 税 是 为 為 约 約 共 计 計 剩余 剩下 进度 進度 第一 零 〇 一 二 两 兩 三 四 五 六 七"
    " 八 九 十 百 千 万 萬 半 长 長 宽 寬 高 深 厚 重 速 度"
)
_WORDS = rf"(?P<words>[^()\[\]{{}}:\n]{{0,60}}[^\W\d_]){NO_MEASURE}{_COUNTED}"
_NO_NUMBER = "no weight, because it is no plain number"
_WRITE = "Write {weight}."
NUMERAL_WEIGHTS = (
    Notation(
        "weight",
        ":",
        re.compile(rf"(?<!\\)[(\[{{]{_WORDS}:\s{{0,3}}(?P<number>{NUMERAL})\s?[)\]}}]"),
        EXCEPT_PLAIN,
        _NO_NUMBER,
        _WRITE,
        hint=re.compile(rf":\s{{0,3}}{NUMERAL}\s?[)\]}}]"),
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?:\A|(?<=[,;、\n]))\s?(?P<shown>(?P<words>[{CJK}]{{1,20}}){NO_MEASURE}{_COUNTED}"
            rf":(?P<number>[零〇一二两兩]点{DIGIT}{{1,2}}|{TIMES}))(?=\s{{0,3}}(?:[,;、.\n]|\Z))"
        ),
        EXCEPT_PLAIN,
        "no weight without brackets",
        _WRITE,
        bare=True,
        hint=re.compile(rf":(?:[零〇一二两兩]点{DIGIT}|{TIMES})"),
    ),
)
