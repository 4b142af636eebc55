"""What something in a prompt is, in Chinese: what follows `... is` in a message."""

MEANINGS = {
    "a weight all the same: no backslash makes text of a colon": (
        "仍然是权重：反斜杠不能让冒号成为文字"
    ),
    "no prompt editing: its number is outside": "数字在括号外，不会按步骤变化",
    "no prompt editing, whose number comes last": "不会按步骤变化：数字要写在最后",
    "no prompt editing: its number is missing": "缺少数字，不会按步骤变化",
    "no prompt editing: its bracket is never closed": "括号没有闭合，不会按步骤变化",
    "no weight: its bracket is never closed": "括号没有闭合，不是权重",
    "no weight: its bracket is never opened": "没有对应的左括号，不是权重",
    "texts for several frames of a film, but here one text": ("是影片各帧的文字，在这里是一段文字"),
    "a weight whose text ends in a sign": "权重的文字以符号结尾",
    "a new chunk in SwarmUI, but not here": "在 SwarmUI 中另起一段，在这里不会",
    "no weight without brackets": "没有括号，不是权重",
    "no weight behind a bracket": "数字在括号外，不是权重",
    "no weight behind such a bracket": "这种括号后的数字不是权重",
    "no weight in such brackets": "这种括号里的数字不是权重",
    "no weight without a colon": "没有冒号，不是权重",
    "no weight: the number alone is in brackets": "只有数字在括号里，不是权重",
    "no weight, because the number comes first": "数字写在前面，不是权重",
    "no weight, because of its comma": "用了逗号，不是权重",
    "no weight, because it is no plain number": "不是单纯的数字，因此不是权重",
    "no weight, because of an invisible character": "含有看不见的字符，不是权重",
    "no weight, because of {}": "含有 {}，不是权重",
    "no end of a weight, because of {}": "含有 {}，不能结束权重",
    "a weight with two colons, of which one is text": "权重有两个冒号，其中一个会成为文字",
    "no weight, because of the space in it": "中间有空格，不是权重",
    "no weight, and no prompt editing: its step is missing": (
        "缺少步数，既不是权重，也不会按步骤变化"
    ),
    "a link as web pages are written, and its address is encoded as words": (
        "是网页源码的链接，其中的网址会当作单词编码"
    ),
    "no weight: its number is missing": "缺少数字，不是权重",
    "no weight: its brackets are of two kinds": "括号不成对，不是权重",
    "a weight in its first part only: the rest is text": "只有前一部分是权重，其余成为文字",
    "no prompt editing: its end is no plain number": "末尾不是单纯的数字，不会按步骤变化",
    "several conditions in dialect {}, but a word here": ("在方言 {} 中分出几个条件，在这里是单词"),
    "a weight in dialect {}, but not here": "在方言 {} 中是权重，在这里不是",
    "prompt editing in dialect {}, but not here": "在方言 {} 中会按步骤变化，在这里不会",
    "alternation in dialect {}, but not here": "在方言 {} 中会逐步交替，在这里不会",
    "a new chunk in dialect {}, but not here": "在方言 {} 中另起一段，在这里不会",
    "a conjunction of prompts, or a change, in dialect {}, but not here": (
        "在方言 {} 中组合或改变提示词，在这里不会"
    ),
    "no prompt editing: that is two texts, and a number when": (
        "不会按步骤变化：那需要两段文字和一个表示何时的数字"
    ),
    "no list of weights: each needs brackets of its own": "不是权重列表：每个权重要有自己的括号",
    "two brackets that cross": "是两个交叉的括号",
    "no weight: its sign touches a full-width sign": "符号后面紧接全角符号，不是权重",
    "no weight: BREAK has none": "不是权重：BREAK 没有权重",
    "one weight too many": "多了一个权重",
    "no blend or conjunction of dialect {}, although it looks like one": (
        "看起来像方言 {} 的混合或组合，其实不是"
    ),
    "no prompt editing: a weight in it needs brackets of its own": (
        "不会按步骤变化：其中的权重要有自己的括号"
    ),
    "no prompt editing, which has one colon between its parts": (
        "不会按步骤变化：各部分之间只要一个冒号"
    ),
    "no prompt editing, because of {}": "含有 {}，不会按步骤变化",
    "text here: a blend or conjunction is a whole prompt": (
        "在这里是文字：混合或组合是一整个提示词"
    ),
    "no weight: its number comes first": "不是权重：数字要写在前面",
    "no prompt editing, which takes place at one step": "不会按步骤变化：变化只发生在一步",
    "no prompt editing, which has colons": "不会按步骤变化：那要用冒号",
    "no prompt editing, which has square brackets": "不会按步骤变化：那要用方括号",
    "a sign as web addresses have it, and encoded as it is written": "是网址里的写法，会原样编码",
    "no editing: an alternation in it needs brackets of its own": (
        "不会按步骤变化：其中的交替要有自己的方括号"
    ),
    "no alternation: an edit in it needs brackets of its own": (
        "不会逐步交替：其中按步骤变化的部分要有自己的方括号"
    ),
    "neither alternation nor editing: a number is at its end": (
        "既不会交替也不会按步骤变化：末尾有数字"
    ),
    "only text, because of its full-width letters": "用了全角字母，只是文字",
    "the label of a negative prompt, but here a part of the prompt": (
        "是反向提示词的标题，在这里成为提示词的一部分"
    ),
    "a part of a word here": "在这里是词的一部分",
    "syntax where full-width punctuation counts, but not here": (
        "在全角标点有效的地方是语法，在这里不是"
    ),
    "a weight in ASCII, but not here": "写成半角才是权重，在这里不是",
    "a bracket in ASCII, but not here": "写成半角才是括号，在这里不是",
    "a pasted block of generation parameters, but here all of it is part of the prompt": (
        "是粘贴的整段生成参数，在这里全部成为提示词"
    ),
    "a line break as a program writes it, but here a backslash and a letter": (
        "是程序里换行的写法，在这里是反斜杠和字母"
    ),
    "a choice at random in ComfyUI's page and in A1111's Dynamic Prompts, but not here": (
        "在 ComfyUI 和 A1111 的动态提示词中是随机选择，在这里不是"
    ),
    "a variable of a template, as in A1111's Dynamic Prompts, but not here": (
        "是模板里的变量（如 A1111 的动态提示词），在这里不是"
    ),
    "several conditions in dialect {}, but not here": "在方言 {} 中分出几个条件，在这里不会",
    "a word from a list in A1111's wildcards, but not here": "在 A1111 中是通配符，在这里不是",
    "a comment that A1111's page takes out, but not here": "在 A1111 中是注释，在这里不是",
    "a comment that ComfyUI's page takes out, but not here": "在 ComfyUI 中是注释，在这里不是",
    "no comment: that starts with an ASCII '#', and in dialect {} only": (
        "不是注释：注释以半角 # 开头，且只在方言 {} 中"
    ),
    "a network that A1111's user interface loads, but not here": (
        "在 A1111 中会加载网络，在这里不会"
    ),
    "hardly meant as words": "恐怕不是文字",
    "hardly meant as words: it refers to no embedding": "恐怕不是文字：它没有指向任何嵌入",
    "text of a web page's source, and encoded as it is written": "是网页源码，会原样编码",
    "a tag of a web page, and encoded as words": "是网页标签，会当作文字编码",
    "a special token of a tokenizer, which has no meaning as text": (
        "是分词器的特殊标记，作为文字没有意义"
    ),
    "a word for an extension of A1111, but not here": "属于 A1111 的扩展，在这里没有作用",
    "a weight or a border of Midjourney, but not here": (
        "在 Midjourney 中是权重或分隔，在这里不是"
    ),
    "an option of Midjourney, but text here": "是 Midjourney 的参数，在这里只是文字",
    "an option of a command line, as in A1111's files of prompts, but text here": (
        "是命令行参数，在这里只是文字"
    ),
    "a command of a chat, but text here": "是聊天命令，在这里只是文字",
    "the address of an image or a page, but text here": "是图片或网页的地址，在这里只是文字",
    "a textual inversion in dialect {}, but not here": "在方言 {} 中是嵌入，在这里不是",
    "no escape here: its backslashes are text": "在这里不是转义：反斜杠是文字",
    "a weight with backslashes: there are no escapes here": "是带反斜杠的权重：这里没有转义",
    "text without its backslash: one that escapes nothing is left out": (
        "会失去反斜杠：不是转义的反斜杠不会编码"
    ),
    "text without its backslash and brackets": "会失去反斜杠和括号",
    "text with characters as a program writes them": "含有程序里字符的写法",
    "no weight: a word with a full stop needs brackets": "不是权重：带句点的词要加括号",
    "no weight: its sign touches another sign": "符号后面紧接别的符号，不是权重",
    "no weight, because its signs are dashes": "用了破折号，不是权重",
    "a weight of its last word only": "权重只作用于最后一个词",
    "no weight: its minus is a dash": "负号写成了破折号，不是权重",
    "a weight of its last digits: its decimal point is another sign": (
        "只有后几位数字是权重：小数点是别的符号"
    ),
    "no weight: its colons are one other sign": "不是权重：两个冒号写成了一个别的符号",
    "a weight of what is behind it, and not of its words": "只作用于后面的文字，不作用于自己的文字",
    "a weight, although it looks like a ratio": "是权重，虽然看起来像比例",
    "a new chunk whose other signs stay text": "会另起一段，其余符号成为文字",
    "a textual inversion in dialect {}, and only words in what is converted": (
        "在方言 {} 中是嵌入，在原来的提示词里只是文字"
    ),
    "a list of weights as a program writes it, but not here": "是程序里权重列表的写法，在这里不是",
    "a list as a program writes it, but here one text": "是程序里列表的写法，在这里是一段文字",
    "a weight up to the end: no {} ends it": "权重直到末尾：没有 {} 结束它",
    "a word for an extension of ComfyUI, but not here": "属于 ComfyUI 的扩展，在这里没有作用",
    "a tag for an extension of A1111, but not here": "是 A1111 扩展的标签，在这里没有作用",
    "a tag of who does it in NovelAI, but text here": "在 NovelAI 中表示由谁来做，在这里只是文字",
    "what begins a writing in NovelAI's pictures, but text here": (
        "在 NovelAI 中表示要写在图里的文字，在这里只是文字"
    ),
    "a variable of a template, but not here": "是模板里的变量，在这里不是",
}
