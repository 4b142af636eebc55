"""What is said of templates, lists, styles and matrices, in Chinese; {} as in `chinese`."""

VARIANTS = {
    # templates
    "{} is never closed, and stays as text": "{} 没有闭合，按文字保留",
    "{} has full-width signs, which are text": "{} 中的全角符号只是文字",
    "{} is text: spaces are inside its underscores": "{} 只是文字：下划线内侧有空格",
    r"Write {}, or \__ for text.": r"请写 {}；若是文字，请写 \__。",
    "{} closes nothing, and stays as text": "{} 没有对应的括号，按文字保留",
    "Close it with {}, or write {} for text.": "请用 {} 闭合；若是文字，请写 {}。",
    "Write {} for text.": "若是文字，请写 {}。",
    "variables of Dynamic Prompts are not supported": "不支持 Dynamic Prompts 的变量",
    "Write the text in its place, or {} for a brace that is text.": (
        "请直接写文字；若大括号是文字，请写 {}。"
    ),
    "{} needs the number of options before it": "{} 前面要写选项的个数",
    "Write {} or {}, or {} for text.": "请写 {} 或 {}；若是文字，请写 {}。",
    "a weight is a number from 0 on, such as 0.5::": "权重是不小于 0 的数字，例如 0.5::",
    "Write 1:: before what is text.": "若是文字，请在前面写 1::。",
    "all options have the weight 0": "所有选项的权重都是 0",
    "Give one a weight above 0.": "请给其中一个大于 0 的权重。",
    "up to {} options are taken at once; at most {} can be": "一次最多取 {} 个选项；上限是 {}",
    "Write a range such as 1-3$$.": "请写一个范围，例如 1-3$$。",
    "{}: {} options are to be taken, and there are {}": "{}：要取 {} 个选项，但只有 {} 个",
    "Name more, or fewer to take.": "请增加选项，或少取几个。",
    "a text of it may have over {} characters": "展开后的文字可能超过 {} 个字符",
    "Name fewer lists, or lists that name fewer.": "请减少列表，或减少列表之间的引用。",
    # lists
    "there is no list {} in {}": "{1} 中没有列表 {0}。",
    "there is no list {} in {}.": "{1} 中没有列表 {0}。",
    "{} is not read: a list is a .txt file, an option a line.": (
        "不读取 {}：列表是 .txt 文件，每行一个选项。"
    ),
    "Known: {}.": "可用的有：{}。",
    "It has no .txt files.": "其中没有 .txt 文件。",
    "{} is no list: values in brackets are not supported": "{} 不是列表：不支持括号里的值",
    r"Write \__ for underscores that are text.": r"若下划线是文字，请写 \__。",
    "{} is a list, and no folder of lists is given": "{} 是列表，但没有给出列表的文件夹",
    r"Say {}, or write \__ for underscores that are text.": r"请用 {}；若下划线是文字，请写 \__。",
    "the list names itself: {}": "列表引用了自己：{}",
    "Leave the name out here: its options would never end.": "请去掉这里的名称：否则选项没有尽头。",
    r"Write a line into it, or \__ for underscores that are text.": (
        r"请在其中写一行；若下划线是文字，请写 \__。"
    ),
    "the list {} has no options": "列表 {} 没有选项",
    "the list {} has only options of weight 0": "列表 {} 的选项权重都是 0",
    "{} is no folder": "{} 不是文件夹",
    "{} is a file, not a folder": "{} 是文件，不是文件夹",
    "{}, line {} is no UTF-8": "{} 第 {} 行不是 UTF-8",
    "Save it as UTF-8.": "请保存为 UTF-8。",
    "there are {} combinations: say how many with --count": (
        "共有 {} 种组合：请用 --count 说明要几个"
    ),
    "{} of {} combinations are made": "共 {1} 种组合，生成其中 {0} 种",
    # styles
    "--style goes with --styles": "--style 与 --styles 一起使用",
    "a style needs --styles FILE": "样式需要 --styles 文件",
    "{} has no columns 'name' and 'prompt' in its first line": (
        "{} 的第一行没有 'name' 和 'prompt' 两列"
    ),
    "A1111's styles.csv begins with the line name,prompt,negative_prompt.": (
        "A1111 的 styles.csv 第一行是 name,prompt,negative_prompt。"
    ),
    "{}, line {} has {} values for {} columns": "{} 第 {} 行有 {} 个值，但只有 {} 列",
    "Write a text with {} in quotes.": "含有 {} 的文字请加引号。",
    "{}, line {} is no row: {}": "{} 第 {} 行无法读取：{}",
    'Write " in a quoted text as "".': '引号内的 " 请写作 ""。',
    "{} has the style {} twice; that of line {} counts": "{} 中有两个样式 {}；以第 {} 行为准",
    # matrices
    "{} is no axis.": "{} 不是轴。",
    "{} is no axis. Did you mean {}?": "{} 不是轴。是不是 {}？",
    "Axes: {}; prompt:cat and negative:cat replace a text.": (
        "可用的轴：{}；prompt:cat 和 negative:cat 替换一段文字。"
    ),
    "{} and the values are missing": "缺少 {} 和值",
    "Write AXIS=A,B.": "请写 轴=值,值。",
    "':' needs a text of a prompt behind it": "':' 后面要写提示词里的一段文字",
    "Write the text to be replaced, such as prompt:cat.": "请写要替换的文字，例如 prompt:cat。",
    "only prompt and negative have a ':' behind them": "只有 prompt 和 negative 后面可以写 ':'",
    "{} is missing behind the quotes": "引号后面缺少 {}",
    'Write " in them as "".': '引号内的 " 请写作 ""。',
    "the quotes are never closed": "引号没有闭合",
    "Write another at their end.": "请在末尾再写一个引号。",
    "a whole number is needed, not {}": "需要整数，而不是 {}",
    "a number is needed, not {}": "需要数字，而不是 {}",
    "true or false is needed, not {}": "需要 true 或 false，而不是 {}",
    "--style {} is not used: the axis 'style' has the styles of each picture": (
        "不使用 --style {}：每张图的样式由轴 'style' 决定"
    ),
    "the axis {} is there twice": "轴 {} 重复了",
    "a matrix has {} axes at most, not {}": "矩阵最多有 {} 个轴，而不是 {} 个",
    "the matrix has {} pictures; at most {} are drawn": "矩阵有 {} 张图；最多画 {} 张",
    "the matrix has {} pixels; at most {} are drawn": "矩阵有 {} 个像素；最多画 {} 个",
    "Write fewer values.": "请减少值的个数。",
    "Write fewer values, or a smaller --size.": "请减少值的个数，或缩小 --size。",
    "the prompt does not have the text {}": "提示词里没有文字 {}",
    "the negative prompt does not have the text {}": "反向提示词里没有文字 {}",
    "two axes replace the same place of the prompt: {} and {} overlap": (
        "两个轴要替换提示词的同一处：{} 和 {} 重叠"
    ),
    "two axes replace the same place of the negative prompt: {} and {} overlap": (
        "两个轴要替换反向提示词的同一处：{} 和 {} 重叠"
    ),
    "Write more of the words around it in an axis, so that it is found elsewhere.": (
        "请在轴里多写一些前后的词，使它只在别处出现。"
    ),
    "Write a part of it, letter by letter.": "请照原样写其中的一段。",
    "--matrix and {} do not go together": "--matrix 不能和 {} 一起用",
    "--save-all goes with --matrix": "--save-all 与 --matrix 一起使用",
    "there is no file or folder {}": "没有文件或文件夹 {}",
    "the pictures of the sheet are scaled down to {}": "拼图中的图片缩小到 {}",
    "no font of this computer has the letters of some labels, which are shown by their numbers": (
        "本机没有含有某些标签文字的字体，这些标签用编号表示"
    ),
}
