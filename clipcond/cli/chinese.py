"""The most common messages in Chinese; {} is what a message is about, in the same order."""

from clipcond.cli.chinese_bulk import BULK
from clipcond.cli.chinese_options import OPTIONS
from clipcond.cli.chinese_prompts import PROMPTS
from clipcond.cli.chinese_regions import REGIONS
from clipcond.cli.chinese_system import SYSTEM
from clipcond.cli.chinese_taking import TAKING
from clipcond.cli.chinese_variants import VARIANTS

CHINESE = {
    **PROMPTS,
    **OPTIONS,
    **BULK,
    **VARIANTS,
    **SYSTEM,
    **REGIONS,
    **TAKING,
    "{} is no alternation: a colon in it needs a backslash": (
        "{} 不会逐步交替：其中的冒号前要加反斜杠"
    ),
    "{} is no alternation: a weight in it needs brackets of its own": (
        "{} 不会逐步交替：其中的权重要有自己的括号"
    ),
    "{} is no prompt editing: a colon of its text needs a backslash": (
        "{} 不会按步骤变化：文字里的冒号前要加反斜杠"
    ),
    "{} is no prompt editing: three texts need an edit within another": (
        "{} 不会按步骤变化：三段文字要写成嵌套"
    ),
    "{} is no alternation, which has square brackets": "{} 不会逐步交替：那要用方括号",
    "{} is no weight, because its words are in quotes": "{} 的词在引号里，不是权重",
    "{} is a textual inversion of another user interface, but not here": (
        "{} 在别的界面中是嵌入，在这里不是"
    ),
    "{} is a choice at random of a user interface, but not here": (
        "{} 在别的界面中是随机选择，在这里不是"
    ),
    "{} is a part of the picture in SwarmUI, but text here": (
        "{} 在 SwarmUI 中是画面的一部分，在这里只是文字"
    ),
    "Write its bare name, once its file is loaded.": "加载它的文件后，直接写名称。",
    "A colon that is text needs a backslash: {} or {} in dialect {}.": (
        "文字里的冒号前要加反斜杠：请用方言 {2} 写 {0} 或 {1}。"
    ),
    "{} behind {} is text: a weight needs brackets around": (
        "{1} 后面的 {0} 只是文字：权重要在外层括号里"
    ),
    "{} behind {} has no effect: the weight of a network is inside": (
        "{1} 后面的 {0} 没有作用：网络的权重写在里面"
    ),
    "all conditions have the weight 0: nothing of the prompt is drawn": (
        "所有条件的权重都是 0：提示词完全不会画出"
    ),
    "Give one of them another weight, such as :1.": "请给其中一个别的权重，例如 :1。",
    "{} is text: the weight of a condition is at its end": "{} 只是文字：条件的权重写在末尾",
    "AND splits the brackets around it: {} and {} are conditions of their own": (
        "AND 把外面的括号分开了：{} 和 {} 各是一个条件"
    ),
    "Write 'and' for the word, or close the brackets before AND.": (
        "若是单词，请写 'and'；否则请在 AND 前闭合括号。"
    ),
    "{} is left out of the text, and nothing loads it: its weight needs a colon": (
        "{} 不会编码，也没有加载：权重前要有冒号"
    ),
    "{} is left out of the text, and nothing loads it: its name is a path, which has a colon": (
        "{} 不会编码，也没有加载：它的名称是带冒号的路径"
    ),
    "{} is left out of the text, and nothing loads it: it has no name": (
        "{} 不会编码，也没有加载：它没有名称"
    ),
    "{} is left out of the text, and nothing loads it: {} is no number": (
        "{} 不会编码，也没有加载：{} 不是数字"
    ),
    "{} is left out of the text, and nothing loads it: the weight {} is hardly meant": (
        "{} 不会编码，也没有加载：权重 {} 恐怕不是本意"
    ),
    "{} goes to the function of extra_networks: its weight needs a colon": (
        "{} 交给 extra_networks 的函数：权重前要有冒号"
    ),
    "{} goes to the function of extra_networks: its name is a path, which has a colon": (
        "{} 交给 extra_networks 的函数：它的名称是带冒号的路径"
    ),
    "{} goes to the function of extra_networks: it has no name": (
        "{} 交给 extra_networks 的函数：它没有名称"
    ),
    "{} goes to the function of extra_networks: {} is no number": (
        "{} 交给 extra_networks 的函数：{} 不是数字"
    ),
    "{} goes to the function of extra_networks: the weight {} is hardly meant": (
        "{} 交给 extra_networks 的函数：权重 {} 恐怕不是本意"
    ),
    "Write {}, the name of its file.": "请写 {}，即文件名。",
    "{} is a network in dialect {}: it is no text there": "{} 在方言 {} 中是网络，不是文字",
    "{} is no weight, because its quotes are curly": "{} 用了弯引号，不是权重",
    "Write a space next to {}.": "请在 {} 旁边加空格。",
    "{} is a loaded textual inversion, but only words here": "{} 是已加载的嵌入，在这里只是文字",
    "there is no embedding {}; its name is left out": "没有嵌入 {}；它的名称不会编码",
    "Load its file: conditioner.load_inversion(file).": (
        "请加载它的文件：conditioner.load_inversion(文件)。"
    ),
    "{} is a loaded textual inversion, but its ending is text here": (
        "{} 是已加载的嵌入，但扩展名在这里是文字"
    ),
    "A name ends at a space: write embedding:{} and a space.": (
        "名称到空格为止：请写 embedding:{} 和一个空格。"
    ),
    "A name ends at a space. Load it with a token= of letters, digits and '_'.": (
        "名称到空格为止。请用 token= 另取只含字母、数字和 '_' 的名称。"
    ),
    "Load it with a token= of letters, digits and '_'.": (
        "请用 token= 另取只含字母、数字和 '_' 的名称。"
    ),
    "Write embedding:{} and a space in this dialect.": (
        "在这种方言中请写 embedding:{} 和一个空格。"
    ),
    "Write embedding:{} in this dialect.": "在这种方言中请写 embedding:{}。",
    "Leave it out, and give {} as the negative prompt.": "请去掉它，并把 {} 作为反向提示词。",
    "Useful weights are between 0 and 2.": "合适的权重在 0 到 2 之间。",
    "Close the inner one first.": "请先闭合里面的括号。",
    "No weight is below 0 here: write one from 0 to 1, or give a negative prompt.": (
        "这里的权重不能小于 0：请写 0 到 1 之间的数，或另外给出反向提示词。"
    ),
    "Write a space behind it, or {}.": "请在后面加空格，或写 {}。",
    "full-width brackets are text here, and syntax where those count": (
        "全角括号在这里是文字；在全角标点算作语法的地方则是语法"
    ),
    "{} is text here, and a weight where full-width punctuation counts": (
        "{} 在这里是文字；在全角标点有效的地方是权重"
    ),
    "{} is a weight without an end, which is two colons": "{} 是没有结尾的权重：结尾是两个冒号",
    "{} is no weight: those of dialect {} have two colons on each side": (
        "{} 不是权重：方言 {} 的权重两边各有两个冒号"
    ),
    "Write {} in dialect {} for a text that begins then, or {} for one that ends.": (
        "请用方言 {1}：从那时开始的文字写 {0}，到那时为止的写 {2}。"
    ),
    "{} is brackets with slashes: only a backslash makes them text": (
        "{} 的括号用了斜杠：只有反斜杠能使括号成为文字"
    ),
    "{} is no weight: its bracket is never closed": "{} 的括号没有闭合，不是权重",
    "{} is brackets with two backslashes: only one makes them text": (
        "{} 的括号用了两个反斜杠：只有一个才能使括号成为文字"
    ),
    "Write spaces around it, or say {}.": "请在两边加空格，或用 {}。",
    "Say {} if it is meant as syntax.": "若是语法，用 {}。",
    "Close it with {}; {} if it is meant as text.": "请用 {} 闭合；若是文字，用 {}。",
    "Say {} where dialect {} is encoded.": "编码方言 {1} 时请用 {0}。",
    "Give the negative prompt apart.": "请另外给出反向提示词。",
    "{} alternates in vain: {} steps never draw {}": "{} 没有全部画出：{} 步画不到 {}",
    "Draw at least {} steps, or write fewer texts.": "请至少画 {} 步，或减少文字。",
    "Draw more steps, such as {}, or write fewer texts.": "请增加步数，例如 {}，或减少文字。",
    "Write all texts in one pair of brackets, or give the outer ones more steps.": (
        "请把所有文字写在一对方括号里，或让外层多占几步。"
    ),
    "Leave it out, or write spaces around it and choose dialect {}.": (
        "请去掉它，或在两边加空格，并选用方言 {}。"
    ),
    "schedule type Automatic: which one that is for {} is not known": (
        "调度类型 Automatic：不知道 {} 用的是哪一种"
    ),
    "interrupted": "已中断",
    "there is no picture {}": "没有图片 {}",
    "there is no picture in {}": "{} 中没有图片",
    "there is no folder {}": "没有文件夹 {}",
    "Looked for files that end in {}.": "查找的是以 {} 结尾的文件。",
    "{} is no picture that Pillow can read": "{} 不是 Pillow 能读取的图片",
    "{} cannot be read as a picture: {}": "无法把 {} 作为图片读取：{}",
    "{} has more than {} pixels, which may be an attack": "{} 超过 {} 个像素，可能是恶意文件",
    "If you trust it, raise PIL.Image.MAX_IMAGE_PIXELS.": (
        "若信任它，请调大 PIL.Image.MAX_IMAGE_PIXELS。"
    ),
    "labels are missing, such as --labels cat,dog": "缺少标签，例如 --labels 猫,狗",
    "the label {} is there twice": "标签 {} 重复了",
    "the prompt has no text that could be scored": "提示词里没有可以评分的文字",
    "the prompt changes while denoising; its text of the last step is scored": (
        "提示词会随步骤变化；按最后一步的文字评分"
    ),
    "Score the texts of schedule(prompt, steps) one by one.": (
        "请逐个给 schedule(prompt, steps) 的文字评分。"
    ),
    "{} has no vision half, so it cannot read pictures": "{} 没有视觉部分，无法读图",
    "It holds {}.": "其中有：{}。",
    "A diffusion checkpoint carries the text half of its CLIP and never the vision half.": (
        "扩散模型的权重只带 CLIP 的文本部分，不带视觉部分。"
    ),
    "Its text half was published whole as {}: open that.": (
        "它的文本部分所属的完整模型是 {}：请打开那个。"
    ),
    "Open a whole CLIP, such as {}.": "请打开完整的 CLIP，例如 {}。",
    "--confusion goes with --test": "--confusion 要和 --test 一起用",
    "--test takes one folder, with a subfolder for each label": (
        "--test 需要一个文件夹，其中每个标签一个子文件夹"
    ),
    "no {} {}. Did you mean {}? Known: {}.": "没有名为 {1} 的 {0}。是不是 {2}？可用的有：{3}。",
    "no {} {}. Known: {}.": "没有名为 {1} 的 {0}。可用的有：{2}。",
    "No such option: {}": "没有选项 {}",
    "did you mean {}?": "是不是 {}？",
    "Missing argument {}": "缺少参数 {}",
    "Missing option {}": "缺少选项 {}",
    "a prompt is missing: {}": "缺少提示词：{}",
    "a prompt is one argument; put it in quotes: {}": "提示词是一个参数，请加引号：{}",
    "{} exists already": "{} 已存在",
    "Say --force to replace it, or -o for another name.": "用 --force 覆盖，或用 -o 换一个文件名。",
    "{} cannot be written: {}": "无法写入 {}：{}",
    "there is no file or folder {}, and it is no name ({}) or hub id (owner/model)": (
        "没有文件或文件夹 {}；它也不是内置名称（{}）或 Hub 编号（owner/model）"
    ),
    "There is no file or folder {}.": "没有文件或文件夹 {}。",
    "Give a diffusers folder, a .safetensors file, or an id on the Hub: owner/name.": (
        "请给出 diffusers 文件夹、.safetensors 文件，或 Hub 编号：owner/name。"
    ),
    "Did you mean {}?": "是不是 {}？",
    "For Chinese: {}": "中文请用 {}",
    "some pictures are of tower {}, others are not: all are scored with {}. Say --encoder {} for "
    "the others": "有的图片用了文本编码器 {}，有的没有：全部按 {} 评分。其他的请用 --encoder {}",
    "{} reads {} of the {} characters here; the others reach it as bytes it never learned: {}": (
        "{0} 只认识这里 {2} 个字符中的 {1} 个，其余的它没有学过：{3}"
    ),
    "{} knows {} words and reads {} of the {} characters here; it cannot read {}": (
        "{0} 认识 {1} 个词，这里 {3} 个字符中认识 {2} 个；读不懂 {4}"
    ),
    "{} reads {} of the {} characters here; it cannot read {}": (
        "{0} 只认识这里 {2} 个字符中的 {1} 个；读不懂 {3}"
    ),
    "{} is not a number": "{} 不是数字",
    "out of memory: {}": "内存不足：{}",
    "--size {}: this model was made for {}; pictures more than twice that wide or high repeat "
    "themselves": "--size {}：这个模型适合 {}；宽或高超过两倍时，画面内容会重复",
    "--steps {}: this model has {} steps at most": "--steps {}：这个模型最多 {} 步",
    "seed {}": "种子 {}",
    "standard output cannot be written: {}": "无法写入标准输出：{}",
    "a number from {} to {} is needed, not {}": "需要 {} 到 {} 之间的数，而不是 {}",
    "pictures are written as .png, .jpg or .webp": "图片保存为 .png、.jpg 或 .webp",
    "{} cannot be converted": "{} 无法转换",
    "{} is the label of a prompt, but here a part of it": (
        "{} 是提示词的标题，在这里成为提示词的一部分"
    ),
    "{} is a weight without text": "{} 只有权重，没有文字",
    "Write its text too, such as {}.": "请也写上文字，例如 {}。",
    "Write its text too, such as {} in dialect {}.": "请也写上文字，例如方言 {1} 中的 {0}。",
    "Write the condition {}.": "条件请写成 {}。",
    "Write {} behind the last word of the condition.": "请把 {} 写在条件的最后一个词后面。",
    "For several conditions, encode the parts of {} one by one.": (
        "要多个条件，请逐个编码 {} 的各部分。"
    ),
    "For several conditions, convert the parts of {} one by one.": (
        "要多个条件，请逐个转换 {} 的各部分。"
    ),
    "Convert the texts of {} one by one.": "请逐个转换 {} 的文字。",
    "Convert the prompts one by one.": "请逐个转换提示词。",
    "ComfyUI itself changes nothing over time; the nodes of prompt-control read {} as it is.": (
        "ComfyUI 本身不会按步骤变化；prompt-control 的节点可以直接读取 {}。"
    ),
    "ComfyUI itself changes nothing over time; the nodes of prompt-control read {} in ASCII.": (
        "ComfyUI 本身不会按步骤变化；prompt-control 的节点可以读取半角的 {}。"
    ),
    "ComfyUI itself changes nothing over time; the nodes of prompt-control read this form with a "
    "fraction, 0.25 for step 5 of 20.": (
        "ComfyUI 本身不会按步骤变化；prompt-control 的节点读取这种写法，但步数要写成比例："
        "20 步中的第 5 步写 0.25。"
    ),
    "only dialects {} and {} can start a new chunk at a place": (
        "只有方言 {} 和 {} 能在指定处另起一段"
    ),
    "only dialect {} can mix prompts by weights": "只有方言 {} 能按权重混合提示词",
    "a plain prompt has no weight such as {}": "纯文字的提示词没有 {} 这样的权重",
    "compel has no weight below 0, such as {}": "compel 没有小于 0 的权重，例如 {}",
    "syntax {} has no way to write this": "语法 {} 写不出这个",
    "It would read {} otherwise.": "它会把 {} 读成别的意思。",
    "Leave this out.": "请去掉它。",
}
