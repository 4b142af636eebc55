"""List the settings of a picture and the labels of a negative prompt that are in a prompt.

Those of a whole pasted block are in `pasted`. These are alone, or as a program writes them:
`steps=20`, `Guidance scale: 7.5`, `Clip Skip 2`. `seed: sunflower` and `model: 3d` are text.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import ALL, EXCEPT_PLAIN, Notation, not_after

_BLOCK = "a pasted block of generation parameters, but here all of it is part of the prompt"
_ALONE = "Keep the prompt alone, and give the negative prompt, the steps and the rest apart."
_NO_WORD = r"(?<![\w.<])"
_SAMPLER = r"(?:euler|dpm|ddim|ddpm|lms|heun|plms|pndm|unipc|lcm|restart)"
_SCHEDULE = rf"(?:karras|exponential|sgm[_ ]?uniform|{_SAMPLER})"
_IS = r"\s?[:=]\s?"
# Names that no sentence has.
_OF_PROGRAM = (
    r"(?:num_?inference_?steps|guidance_?scale|cfg_?scale|clip_?skip|sampler_?name|scheduler_?name"
    r"|denoising_?strength|hires_?fix)"
)
# Sides of pictures that models draw, and screens that have such.
_SIDE = r"(?:512|576|640|704|768|832|896|960|1024|1152|1216|1344|1536)"
_SCREEN = r"1024 ?[x×] ?(?:576|640|768)|960 ?[x×] ?640"
_FILE = r"\w[\w.\-]{1,60}"
_MODEL = (
    rf"(?:(?={_FILE}(?:_v?\d{{1,2}}(?!\w)|[_\-]v\d|XL|xl|mix|diffusion|\.safetensors|\.ckpt))"
    r"|(?:sdxl|sd ?[123](?:\.\d)?|illustrious|noobai|animagine|flux[.\d\-]{1,3}\w{0,9})"
    r"(?=\s{0,9}(?:[,;|\n]|\Z)))"
)
_UPSCALER = (
    r"(?:\d{1,2}x|r-?esrgan|esrgan|latent|lanczos|swinir|ldsr|dat\b|scunet|ultrasharp|none\b)"
)
# As A1111 and Forge name theirs: v1.10.1, v1.6.0-2-g4afaaf8a, f2.0.1v1.10.1-previous-659-gc055f2d4.
_VERSION = r"v1\.\d{1,2}\.\d{1,2}(?![.\d])"
_BUILD = (
    r"(?:(?:f\d[\w.]{0,9}|neo-?)v\d+\.\d+\.\d+[\w\-]{0,60}"
    rf"|{_VERSION}[\w\-]{{0,30}}-\d{{1,4}}-g[\da-f]{{7,12}}(?!\w))"
)
_SETTINGS = (
    rf"(?i:{_OF_PROGRAM}){_IS}[\"']?\w",
    r"(?i:steps)=\d{1,3}(?![\w.])",
    rf"(?i:sampler|scheduler|sampling[ _]method)(?:{_IS}|(?<=[sS]ampler)\s)(?i:{_SCHEDULE})",
    r"(?i:cfg)=\d{1,2}(?:\.\d{1,2})?(?![\w.])",
    r"(?i:seed)=-?\d{3,}",
    r"(?i:width)=\d{3,4}\s?[,;|\n]\s?(?i:height)=\d{3,4}(?![\w.])",
    rf"(?i:width)\s?:\s?{_SIDE}\s?[,;|\n]\s?(?i:height)\s?:\s?{_SIDE}(?![\w.])",
    r"(?i:guidance[ _]scale\s?[:=]|guidance=)\s?\d{1,2}(?:\.\d{1,2})?(?![\w.%])",
    rf"(?:(?<=\n)|(?<=[\n,.;]\s))Resolution: ?(?!{_SCREEN}){_SIDE} ?[x×] ?{_SIDE}(?!\d)",
    r"VAE ?: ?(?i:(?=[\w.\-]{0,60}(?:vae|mse|ema|kl-?f8|fp16|safetensors|pruned))"
    r"|automatic|none\b|taesd)",
    rf"(?:Model|Checkpoint|Base [Mm]odel|Ckpt|MODEL|CHECKPOINT) ?: ?{_MODEL}",
    rf"(?i:upscaler) ?[:=] ?(?i:{_UPSCALER})",
    r"(?i:steps):? ?\d{1,3} ?[|/;,·•] ?(?i:cfg|sampler|seed|guidance|euler|dpm)",
    r"(?i:clip[ \-]skip)\s?[:=]?\s?-?\d{1,2}(?!\w|\.\d)",
    rf"(?<=\n)Version ?: ?(?:{_BUILD}|{_VERSION}(?:-?[rR][cC]\d?)?)"
    r"(?=[ \t]{0,9}(?:\n|\Z|[,;]\s?[A-Z][\w ]{1,30}:))",
    rf"(?:(?<=[\n,;])|(?<=[\n,;]\s))Version ?: ?{_BUILD}",
)
_NAMES = re.compile(
    r"(?i:steps|sampl|schedul|cfg|seed|width|guidance|resolution|vae|model|checkpoint|ckpt|upscaler"
    r"|skip|denois|hires|version)"
)
_NEGATIVE_LABEL = "the label of a negative prompt, but here a part of the prompt"
_APART = "Give the negative prompt apart."
_NO_FILM = (
    r"(?![^\n]{0,200}(?i:film|35 ?mm|scan|darkroom|photograph|positives|glass|plates?\b|prints?\b))"
)
_NO_PAIR = rf"(?i:{not_after('and or vs film photo glass old the these false double of')})"
_CAMPUS = r"(?!\s?(?:Berkeley|Davis|Irvine|Merced|Riverside|San|Santa|Los|LA\b|Press))"
_LISTED = r"(?=\s{0,3}[^\W\d])"
_LABELS = (
    rf"(?:\A|(?<=[\n,.;]))\s{{0,3}}(?P<shown>UC\s?[:=]){_CAMPUS}{_LISTED}",
    rf"(?<=\n)[ \t]{{0,3}}(?P<shown>(?i:negatives)\s?[:=]){_NO_FILM}{_LISTED}",
    rf"(?<=[^\s,.;:])(?=\s{{1,3}}Neg){_NO_PAIR}\s{{1,3}}(?P<shown>Negatives\s?:){_NO_FILM}{_LISTED}",
    r"(?<=[^\s,:])\s{1,3}(?P<shown>Undesired(?:[ _][Cc]ontent)?\s?[:=])(?=\s?\w)",
    r"(?<!\w)(?P<shown>(?i:neg[ _]prompts?)"
    r"(?:\s[-—–]{1,2}\s|\s?[—–→]{1,2}\s?|\s?[-=]>\s?|\s?=\s?))(?=\w)",
    r"(?<=[\n,.;、。])\s{0,3}(?P<shown>(?:不要(?:出现)?|避免(?:出现)?|不想要|不需要|去除|去掉)\s?:)(?=\s?[^\s\d:])",
    r"(?<=\n)[ \t]{0,3}(?P<shown>(?i:negatives?|neg|uc))[ \t]{0,3}(?=\n\s{0,3}[^\W\d])",
)
_TEXT = r"[^\W\d][^\n\"]{1,400}?"
_KEY = r"\d{1,4}(?:\.\d{1,2})?"
_SCALE = re.compile(
    r"(?i:\b(?:pain|scale|scores?|rating|legend|points?|degrees?|level|index|hours?|score|axis|age|year)\b)"
)
_FRAMES = "texts for several frames of a film, but here one text"
SETTINGS = (
    Notation(
        "pasted-parameters",
        (":", "=", "|", "kip", "KIP", "ampler", "teps"),
        re.compile(rf"{_NO_WORD}(?:{'|'.join(_SETTINGS)})(?s:.*)"),
        ALL,
        _BLOCK,
        _ALONE,
        hint=_NAMES,
    ),
    *(
        Notation("negative-label", signs, re.compile(pattern), ALL, _NEGATIVE_LABEL, _APART)
        for pattern, signs in zip(
            _LABELS, (":=", ":=", ":", ":=", "-—–→=", "不避去", "\n"), strict=True
        )
    ),
    Notation(
        "keyframes",
        "\"'",
        re.compile(
            rf"\A\s{{0,9}}\{{?\s{{0,9}}(?P<shown>[\"']0[\"']\s?:\s?[\"'][^\"'\n]{{1,400}}[\"'],?\s{{0,9}}"
            rf"[\"']{_KEY}[\"']\s?:\s?[\"'](?s:.*))"
        ),
        EXCEPT_PLAIN,
        _FRAMES,
        "Encode the prompts one by one.",
    ),
    Notation(
        "keyframes",
        ":",
        re.compile(
            rf"\A\s{{0,9}}(?P<shown>0\s?:\s?(?:{_TEXT}\s?\n|[^\W\d][^\s\"]{{0,60}}\s{_TEXT}\s?[,;])\s{{0,3}}[1-9]\d{{1,3}}\s?:\s?[^\W\d](?s:.*))"
        ),
        EXCEPT_PLAIN,
        _FRAMES,
        "Encode the prompts one by one.",
        unless=_SCALE,
    ),
)
