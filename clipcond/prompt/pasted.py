"""Know what was pasted: a block of generation parameters; line breaks as a program writes them."""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.labels import NEGATIVE_CJK
from clipcond.prompt.notations import ALL, Notation

# Keys of a block of parameters: those that no sentence has, and those that need a number.
_KEYS = (
    r"(?:negati\w{1,4}|n[eé]gatif|негативн\w{2}|отрицательн\w{2}|negatywn\w)[ _\-]?prompts?"
    r"|prompts?[ _\-](?:n[eé]gatif|negativ[oae]?)|(?:негативный|отрицательный) промпт"
    r"|positive[ _]prompt|cfg[ _\-](?:scale|skala)"
    r"|clip[ _]skip|model hash|denoising strength|hires upscale\w*"
    r"|schedule type|lora[ _]hashes|ti hashes|vae hash|hashes(?=\"? ?: ?\{)|ensd|civitai resources"
    r"|hires steps|adetailer (?:model|prompt|version|confidence)|variation seed(?: strength)?"
    r"|seed resize from|face restoration|mask blur|token merging ratio|schedule max sigma|eta ddim"
    r"|refiner switch(?: at)?|controlnet \d|distilled cfg scale|diffusion in low bits"
)
_KEYS_CJK = (
    "(?:反向|负面|负向|反面|逆向)(?:提示|关键)词?|(?:正向|正面)提示词|采样器|采样方法|采样方式|采样步数|迭代步数|随机种子"
    "|提示词引导系数|提示词相关性|引导系数|模型哈希|重绘幅度|ネガティブ(?:プロンプト)?|サンプラー|ステップ数"
    "|サンプリング(?:方法|回数|ステップ数?)|네거티브 ?프롬프트"
    "|부정적? ?프롬프트|샘플러|샘플링 ?(?:방법|스텝)"
)
# Other names of the steps; "Step 1: draw a circle" is a sentence.
_STEPS = "steps|schritte|[eé]tapes|pasos|passi|passos|шаги|ステップ|스텝|步数"
# A line break that a program wrote may come before a label, and \b is none there: \nSteps: 20
_WRITTEN = r"(?<=\\[nrt])"
_NO_WORD = rf"(?:(?<!\w)|{_WRITTEN})"
_LINE = rf"(?:(?m:^)|{_WRITTEN})"
_PASTED = (
    rf"(?:(?i:\b(?:{_KEYS}))\"? ?: ?[\w\"(\[{{<]|(?:{_KEYS_CJK})[ ]?:"
    rf"|{_LINE}[ \t]{{0,9}}(?i:{_KEYS}|{_KEYS_CJK})[ \t]{{0,9}}(?=\n|\\n)"
    rf"|(?:(?<=[\n,.;])|{_WRITTEN})\s{{0,3}}(?i:negativ(?:e|es|o|a|os)?|n[eé]gatif"
    r"|neg(?:ative)?[ .]? ?prompt|neg|негатив(?:н\w{2})?|负面|反面|负向|反向|ネガ|부정)"
    r"[ \t]?:[ \t]?[\w(\[]"
    rf"|{_NO_WORD}(?i:{_STEPS}) ?: ?\d{{1,3}} ?(?:[,\n;、\\]|\Z)"
    r"|(?i:\b(?:[eé]chantillonneur|muestreador|campionatore|сэмплер|семплер|abtaster)) ?:"
    rf"|{_NO_WORD}(?i:graine|semilla|seme|сид) ?: ?\d{{4}}"
    r"|(?i:\bcfg) ?: ?\d{1,2}(?:\.\d)?"
    r" ?(?:[,\n\\]|\Z)"
    r"|(?:种子数?|シード値?|시드) ?: ?\d{3}"
    r"|\"(?:class_type|sui_image_params)\" ?:"
    r"|(?i:\bsteps) ?: ?\d+ ?[,\n;、] ?\w[\w ]{1,30}:"
    r"|(?i:\bsteps) \d{1,3}, ?(?i:sampler)\b|采样 ?: ?(?i:euler|dpm|ddim|lms)"
    r"|步数 ?: ?\d+ ?(?:[,\n;、] ?\w[\w ]{0,30}:|\Z)"
    r"|(?i:\bsampler(?:[ _]name)?) ?: ?(?i:euler|dpm|ddim|lms|heun|plms|unipc|lcm|restart)"
    r"|\bSampler: ?[A-Z][\w+ ]{1,30},|(?i:\bseed) ?: ?\d{4}|(?i:\bsize|尺寸|分辨率)"
    r" ?: ?\d{3,4} ?[x×] ?\d{3,4}"
    r"|(?i:\bmodel) ?: ?[\w.\-]{1,80}, ?(?i:vae|seed|steps|sampler|clip skip) ?:)(?s:.*)"
).replace(r"\b", rf"(?:\b|{_WRITTEN})")
_NEGATIVES = (
    rf"{NEGATIVE_CJK}|"
    r"neg(?:ative|ativ|ativo|ativa|atif)?(?:[ _\-]?prompts?)?|n[eé]gatif|unwanted"
    r"|undesired(?:[ _]content)?|негативн\w{2}(?: промпт)?|отрицательный промпт"
    r"|prompts?[ _\-]n[eé]gatif|prompts? negativo|(?:反向|负面|负向|反面|逆向)(?:提示|关键)?词?"
    r"|ネガ(?:ティブ(?:プロンプト)?)?|네거티브 ?프롬프트|부정적? ?프롬프트|부정"
)
# The last words of a prompt: a form that was not filled in.
EMPTY_LABEL = Notation(
    "negative-label",
    ":=\n",
    re.compile(
        rf"(?:\A|(?<=[\n,.;、]))[ \t]{{0,9}}(?P<shown>(?i:{_NEGATIVES})[ \t]?[:=])\s{{0,9}}\Z"
        r"|^[ \t]{0,9}(?P<shown_2>(?i:negative prompt))\s{1,9}\Z",
        re.MULTILINE,
    ),
    ALL,
    "the label of a negative prompt, but here a part of the prompt",
    "Leave it out.",
)
PROMPT_LABEL = Notation(
    "pasted-parameters",
    ":=",
    re.compile(
        r"\A\s{0,9}\{?\s{0,9}(?P<shown>\"?(?i:prompts?|提示词|正面词?|正向词?|プロンプト|프롬프트"
        r"|(?:pos(?:itiv(?:e|o|a)?|itif)?|позитив\w{0,3}|ポジティブ|긍정)(?=:[^\n]{1,400}?[^\w\n](?:neg|n[eé]g|нег|ネガ|부정)))"
        r"(?:\"? ?:|\"?=))(?=\s{0,9}\S)"
    ),
    ALL,
    "the label of a prompt, but here a part of it",
    "Leave it out.",
)
PASTED = Notation(
    "pasted-parameters",
    ":\n\\",
    re.compile(_PASTED),
    ALL,
    "a pasted block of generation parameters, but here all of it is part of the prompt",
    "Keep the prompt alone, and give the negative prompt, the steps and the rest apart.",
)
# Commands of LaTeX and names of files that begin as a line break does.
_NO_BREAK = (
    r"\\(?:n(?:abla|u|eq?|ot|otin|eg|i|earrow|ewline|ewcommand|ew|ames?|otes?|et|ode|ode_modules|vidia)"
    r"|t(?:heta|au|o|imes|ext\w{0,9}|anh?|op|ilde|frac|riangle\w{0,9}|ests?|e?mp|ools?|rain|rash))"
    r"(?![a-z])"
)
# `\n` between words, next to BREAK, or two of them; not in a path such as `C:\new`
_BETWEEN = (
    rf"(?<![\\/:.]\w)(?<=\w)(?!{_NO_BREAK})(?:\\r)?\\[nt]"
    r"(?!\w*\\(?![nrt])|\w{1,40}\.\w{2,4}\b)"
)
_LINE_BREAK = (
    rf"{_BETWEEN}|"
    r"(?:(?<=[,.;)\]>\s])|(?<=BREAK))(?:\\[nrt]){1,4}(?!\w*\\(?![nrt]))"
    r"|(?:\\[nrt]){1,4}(?=BREAK)|(?<=\w)(?:\\[nr]){2,4}(?!\w*\\(?![nrt]))"
)
ESCAPED = Notation(
    "escaped-line-break",
    "\\",
    re.compile(rf"(?P<shown>{_LINE_BREAK})(?s:.*)"),  # of several the first
    ALL,
    "a line break as a program writes it, but here a backslash and a letter",
    "Write a line break or a space.",
    unless=re.compile(r"(?<!\w)[A-Za-z]:\\\w"),  # C:\new\table
)
