"""What is said of prompts, in Chinese; {} is what a message is about, in the same order."""

from clipcond.cli.chinese_edits import EDITS
from clipcond.cli.chinese_meanings import MEANINGS

PROMPTS = {
    **{f"{{}} is {english}": f"{{}} {chinese}" for english, chinese in MEANINGS.items()},
    **EDITS,
    "Write {}.": "请写 {}。",
    "Write {}, or write {} and {} for literal brackets.": "请写 {}；若要括号本身，请写 {} 和 {}。",
    "Write {} for the word.": "若是单词，请写 {}。",
    "Write {} for the word, or choose dialect {}.": "若是单词，请写 {}，或选用方言 {}。",
    "Write {} for the smiley.": "要写表情，请写 {}。",
    "Write the name alone if it is meant as words.": "若是文字，请只写名称。",
    "{} is a weight here: its sign is no text": "{} 在这里是权重：符号不是文字",
    "Write {} for the sign as text.": "若符号是文字，请写 {}。",
    "Write it in words for text: no sign within brackets is.": (
        "若是文字，请用词语写出：括号里的符号不会是文字。"
    ),
    "Write {} in place of {}.": "请把 {1} 写成 {0}。",
    "For text write {}:{}.": "若是文字，请写 {}:{}。",
    "{} acts on what is behind {} too: no {} ends it before": (
        "{0} 也作用于 {1} 后面的文字：之前没有 {2} 结束它"
    ),
    "Write {} before {}.": "请在 {1} 前写 {0}。",
    "the brackets of {} are no text: they make a group": "{} 的括号不是文字，而是分组",
    "Write {} for the name of a tag.": "若是标签的名称，请写 {}。",
    "Write a space or a comma between the brackets.": "请在括号之间写空格或逗号。",
    "For a weight of 1.1 write {}; for text write {}.": (
        "要 1.1 的权重，请写 {}；若是文字，请写 {}。"
    ),
    "Write {} before its last bracket, or its brackets {} and {} for text.": (
        "请在最后的括号前写 {}；若是文字，括号写作 {} 和 {}。"
    ),
    "{} is the weight of its whole condition, {}": "{} 是整个条件 {} 的权重",
    "For {} alone write {}; for all write {}.": "只给 {} 权重，请写 {}；给整个条件，请写 {}。",
    "Leave out its brackets and quotes, or give each text as a prompt of its own.": (
        "请去掉括号和引号，或把每段文字分别作为提示词。"
    ),
    "Say it in words.": "请用词语写出。",
    "Write what it makes.": "请写出它的结果。",
    "If it is text, write {}.": "若是文字，请写 {}。",
    "For text write {}.": "若是文字，请写 {}。",
    "{} ends in a weight: it is {} at {}": "{} 的末尾是权重：成为 {}，权重 {}",
    "the bracket of the smiley {} closes others: it is no text": (
        "表情 {} 的括号闭合了别的括号，不是文字"
    ),
    "the bracket of the smiley {} opens others: it is no text": (
        "表情 {} 的括号打开了一组，不是文字"
    ),
    "{} is one word: no space is between": "{} 是一个词：中间没有空格",
    "BREAK starts no chunk in this dialect: it is the word {} at weight {}": (
        "BREAK 在这种方言里不另起一段：它是单词 {}，权重 {}"
    ),
    "BREAK inside brackets starts no chunk: it is the word {} at weight {}": (
        "括号里的 BREAK 不另起一段：它是单词 {}，权重 {}"
    ),
    "Leave it out, or use dialect {}.": "请去掉它，或用方言 {}。",
    "Close the brackets before BREAK and open them again behind it.": (
        "请在 BREAK 前闭合括号，在它之后再打开。"
    ),
    "BREAK starts a new chunk, although words in capitals are around it": (
        "BREAK 另起一段，虽然周围的词都是大写"
    ),
    "AND makes several conditions, although it is in a title: {} and {}": (
        "AND 分出几个条件，虽然它在标题里：{} 和 {}"
    ),
    "nothing is {} AND: an empty condition is drawn as well": (
        "AND {} 没有文字：也会画出一个空的条件"
    ),
    "Write {} for the word, or words on both sides of it.": (
        "若是单词，请写 {}；否则请在两边写上文字。"
    ),
    "{} ends in the weight {} of a condition": "{} 的末尾是条件的权重 {}",
    "{} ends in no weight of a condition: that is one colon and a plain number": (
        "{} 的末尾不是条件的权重：那是一个冒号和一个单纯的数字"
    ),
    "{} is prompt editing: a text that changes after step {}": "{} 会按步骤变化：在第 {} 步之后",
    "{} never changes while denoising: {} steps draw only {}": (
        "{} 不会随步骤变化：{} 步只画出 {}"
    ),
    "Draw more steps.": "请增加步数。",
    "Write a line break or a space.": "请换行，或写空格。",
    "Write {} in dialect {}.": "请用方言 {1}，写 {0}。",
    "Write {}, or choose dialect {}.": "请写 {}，或选用方言 {}。",
    "Write {} in dialect {}, or choose dialect {}.": "请用方言 {1} 写 {0}，或选用方言 {2}。",
    "Write {}, or write {} in dialect {}.": "请写 {0}，或用方言 {2} 写 {1}。",
    "Write {} for the word, or write {} in dialect {}.": (
        "若是单词，请写 {0}，或用方言 {2} 写 {1}。"
    ),
    "Leave it out, or write {} in dialect {}.": "请去掉它，或用方言 {1} 写 {0}。",
    "For a weight write {}; for editing write {} in dialect {}.": (
        "要权重写 {0}；要按步骤变化，用方言 {2} 写 {1}。"
    ),
    "Write {} in dialect {}: two steps are impossible.": "请用方言 {1} 写 {0}：不能写两步。",
    "Write what is before it in each of its prompts.": "请把前面的文字写进其中每个提示词。",
    "A name ends at a space: write one behind the comma.": "名称到空格为止：请在逗号后加空格。",
    "Write {} in dialect {} to alternate.": "要交替，请用方言 {1}，写 {0}。",
    "Write {} in dialect {}: a fraction of all steps, or the number of one.": (
        "请用方言 {1}，写 {0}：数字是总步数的比例，或第几步。"
    ),
    "Write the number inside: {}.": "请把数字写在括号里：{}。",
    "Write a decimal point: {}.": "请用小数点：{}。",
    "Write a decimal point: {}, or as the dialect has it.": "请用小数点：{}，或按方言的写法。",
    "Write a decimal number such as {}.": "请写小数，例如 {}。",
    "Write it in ASCII.": "请用半角字符。",
    "Write it in ASCII, without invisible characters.": "请用半角字符，不要有看不见的字符。",
    "Write its brackets in ASCII.": "请用半角括号。",
    "Write it in ASCII, with spaces around it.": "请用半角字母，并在两边加空格。",
    "Write it in ASCII, or say {}; {} if it is meant as text.": (
        "请用半角字符，或用 {}；若是文字，用 {}。"
    ),
    "Write it in ASCII, or say {}.": "请用半角字符，或用 {}。",
    "Write it in ASCII; {} if it is meant as text.": "请用半角字符；若是文字，用 {}。",
    "Write the sign itself.": "请写符号本身。",
    "Write spaces around it.": "请在两边加空格。",
    "Write its value.": "请写出它的值。",
    "Write the one that you want.": "请写出想要的那一个。",
    "Write the one that you want, or expand the prompt: {}.": (
        "请写出想要的那一个，或展开提示词：{}。"
    ),
    "Write the word that you want, or expand the prompt: {}.": (
        "请写出想要的词，或展开提示词：{}。"
    ),
    "Write its bare name, {}, once its file is loaded.": "加载它的文件后，直接写名称 {}。",
    "Write embedding:{} behind a space, a bracket or a line end.": (
        "请写 embedding:{}，前面是空格、括号或换行。"
    ),
    "Write in its place what you want, or say {} if it is meant as text.": (
        "请直接写出想要的内容；若是文字，用 {}。"
    ),
    "Write in its place what you want.": "请直接写出想要的内容。",
    "For a weight write {}.": "要写权重，请写 {}。",
    "For a weight write {} in dialect {}; for editing choose dialect {}.": (
        "要写权重，请用方言 {1} 写 {0}；要按步骤变化，请选用方言 {2}。"
    ),
    "For a weight write {}; for editing choose dialect {}.": (
        "要写权重，请写 {}；要按步骤变化，请选用方言 {}。"
    ),
    "Choose dialect {}.": "请选用方言 {}。",
    "Write {} in dialect {}, with your step for 0.5.": (
        "请在方言 {1} 中写 {0}，并把 0.5 换成您的步数。"
    ),
    "Write its brackets in ASCII; for text leave them out.": (
        "请用半角括号；如果是文字，请去掉括号。"
    ),
    "Leave it out.": "请去掉它。",
    "Leave it out, or write BREAK in dialect {}.": "请去掉它，或在方言 {} 中写 BREAK。",
    "Leave it out, or choose dialect {}.": "请去掉它，或选用方言 {}。",
    "Leave it out; a weight is {}.": "请去掉它；权重写作 {}。",
    "Leave it out; a weight is {} in dialect {}.": "请去掉它；在方言 {1} 中，权重写作 {0}。",
    "Leave it out; images are given apart.": "请去掉它；图片要另外给出。",
    "Leave it out, and choose size, seed and the rest where the picture is made.": (
        "请去掉它，并在生成图片处选择尺寸、种子等。"
    ),
    "Leave it out, and give negative prompt, steps, size and the rest apart.": (
        "请去掉它，并另外给出反向提示词、步数、尺寸等。"
    ),
    "Leave it out, and load the network into the pipeline: load_lora_weights.": (
        "请去掉它，并把网络加载到管线：load_lora_weights。"
    ),
    "Leave out the spaces, or choose dialect {}.": "请去掉空格，或选用方言 {}。",
    "Keep the prompt alone, and give the negative prompt, the steps and the rest apart.": (
        "请只留提示词，并另外给出反向提示词、步数等。"
    ),
    "Close it with {} or write {} for a literal bracket.": (
        "请用 {} 闭合；若要括号本身，请写 {}。"
    ),
    "Close it with {}.": "请用 {} 闭合。",
    "Remove it or write {} for a literal bracket.": "请去掉它；若要括号本身，请写 {}。",
    "Remove it or write {} for a literal sign.": "请去掉它；若要这个符号本身，请写 {}。",
    "{} turns all prompt editing off; {} is plain text": "{} 使按步骤变化全部失效；{} 只是文字",
    "Remove it.": "请去掉它。",
    "Remove it: hypernetworks cannot be loaded.": "请去掉它：无法加载 hypernetwork。",
    "Remove it; a network acts on both prompts.": "请去掉它；网络对两个提示词都有作用。",
    "{} is never closed": "{} 没有闭合",
    "{} closes nothing": "{} 没有对应的左括号",
    "{} closes nothing, and makes the brackets after it plain text": (
        "{} 没有对应的左括号，后面的括号因此成为文字"
    ),
    "{} is read as syntax": "{} 当作语法读取",
    "Say {} if it is meant as text.": "若是文字，用 {}。",
    "{} is a comment, and left out of the text": "{} 是注释，不会编码",
    "{} is left out of the text, and nothing loads it": "{} 不会编码，也没有加载",
    "{} is left out of the text, and nothing loads it: it is in a negative prompt": (
        "{} 不会编码，也没有加载：它在反向提示词里"
    ),
    "In Python: pipe.load_lora_weights({}); its weight is set with those of the others.": (
        "在 Python 中加载：pipe.load_lora_weights({})；权重与其他 LoRA 一起设置。"
    ),
    "Load it: pipe.load_lora_weights({}); its weight is set with those of the others.": (
        "请加载：pipe.load_lora_weights({})；权重与其他 LoRA 一起设置。"
    ),
    "In Python: pipe.load_lora_weights({}), then pipe.set_adapters({}).": (
        "在 Python 中加载：pipe.load_lora_weights({})，再 pipe.set_adapters({})。"
    ),
    "Load it: pipe.load_lora_weights({}), then pipe.set_adapters({}).": (
        "请加载：pipe.load_lora_weights({})，再 pipe.set_adapters({})。"
    ),
    "{} has the weight {}, which is hardly meant": "{} 的权重是 {}，恐怕不是本意",
    "Useful weights are between 0 and 2; brackets that are text are written {} and {}.": (
        "合适的权重在 0 到 2 之间；括号本身写作 {} 和 {}。"
    ),
    "{} changes while denoising; only its last text is encoded": (
        "{} 会随步骤变化；只编码最后的文字"
    ),
    "{} changes after step {}, which {} steps do not reach; only its first text is encoded": (
        "{} 在第 {} 步之后变化，而总共只有 {} 步；只编码最初的文字"
    ),
    "{} never changes while denoising; only {} is encoded": "{} 不会随步骤变化；只编码 {}",
    "{} never changes while denoising; nothing of it is encoded": "{} 不会随步骤变化；完全没有编码",
    "Write a fraction of all steps below 1, or the number of a step: {}.": (
        "请写小于 1 的总步数比例，或第几步：{}。"
    ),
    "Encode the texts of {} one by one.": "请逐个编码 {} 的文字。",
    "Pipelines of Stable Diffusion draw all of them.": "Stable Diffusion 的管线会全部绘制。",
    "AND makes {} conditions; only the first is encoded: {}; not encoded: {}": (
        "AND 分出 {} 个条件；只编码第一个：{}；没有编码：{}"
    ),
    "Write 'and' in small letters for the word.": "若是单词，请用小写 and。",
    "AND NOT draws {} as well: it is no negation": "AND NOT 也会绘制 {}：它不表示否定",
    "Give {} as the negative prompt, or write {}.": "请把 {} 作为反向提示词，或写 {}。",
    "AND is a word here, because all is in capitals": "全部是大写，AND 在这里是单词",
    "Write 'and' in small letters for the word; write words in small letters to make several "
    "conditions.": "若是单词，请用小写 and；要多个条件，请把词写成小写。",
    "{} knows {} words; it cannot read {}": "{} 认识 {} 个词；读不懂 {}",
    "{} opens no group: it is text": "{} 没有开始一组：它是文字",
    "{} closes nothing: it is text": "{} 没有对应的左括号：它是文字",
    "A group begins after a space, has an end, and holds no '=' and no lone '+' or '-'; write {} "
    "for a literal bracket.": (
        "一组前面有空格，有结尾，里面没有 = 和单独的 + 或 -；若要括号本身，请写 {}。"
    ),
    "{} ends no weight, and is left out": "{} 没有权重可以结束，已去掉",
    "A weight is {}.": "权重写作 {}。",
    "{} mixes prompts in NovelAI, which is not supported: here it is text": (
        "{} 在 NovelAI 中混合提示词，这里不支持：它是文字"
    ),
    "what .swap() puts in its place is not encoded, only what is before it": (
        ".swap() 换上的文字没有编码，只编码它前面的"
    ),
    "Encode both prompts, and change between them.": "请分别编码两个提示词，并在它们之间切换。",
    "Encode the prompts one by one.": "请逐个编码提示词。",
    "{} more such places in this prompt": "这个提示词里还有 {} 处",
    "{} more brackets that do not match": "还有 {} 个不成对的括号",
}
