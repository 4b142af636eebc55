"""What is said of options and of lines of --prompts, in Chinese; {} as in `chinese`."""

OPTIONS = {
    "line {}: ": "第 {} 行：",
    # of typer, and of click, which older ones use
    "Input should be greater than or equal to {}": "应不小于 {}",
    "Input should be less than or equal to {}": "应不大于 {}",
    "Input should be a valid integer, unable to parse string as an integer": "需要整数",
    "Input should be a valid number, unable to parse string as a number": "需要数字",
    "{} is not in the range {}.": "{} 不在范围 {} 内",
    "{} is not a valid integer.": "{} 不是整数",
    "{} is not a valid float.": "{} 不是数字",
    "Option {} requires an argument.": "选项 {} 缺少值",
    "Missing option {}.": "缺少选项 {}",
    "{} is no WIDTHxHEIGHT, such as 512x768": "{} 不是 宽x高 的形式，例如 512x768",
    "{}: pictures are written as .png, .jpg or .webp": "{}：图片保存为 .png、.jpg 或 .webp",
    "a file name is missing, such as out.png": "缺少文件名，例如 out.png",
    "a name is missing": "缺少名称",
    "not valid UTF-8 at character {}": "第 {} 个字符不是有效的 UTF-8",
    "--seed plus --count goes beyond {}": "--seed 加 --count 超过了 {}",
    "--seed plus --count times --best-of goes beyond {}": (
        "--seed 加 --count 乘 --best-of 超过了 {}"
    ),
    "--encoder goes with --best-of": "--encoder 与 --best-of 一起使用",
    "This pipeline's adapter reads a whole chunk for each row that it writes, so that no row "
    "belongs to a word: there are no heat maps of its prompts.": (
        "这个管线的适配器写每一行都要读整段，行与词不对应：它的提示词没有热力图。"
    ),
    "Trace with the UNet's own text tower, or with a linear adapter.": (
        "请用 UNet 自己的文本编码器，或用 linear 适配器。"
    ),
    "the sheet shows the first {} of {} words": "图表只显示 {1} 个词中的前 {0} 个",
    "--heat-map traces each picture as it is drawn: leave out --best-of, or draw the seed that it "
    "has chosen once more": "--heat-map 在画图时记录：请去掉 --best-of，或用它选出的种子再画一次",
    "--model and --tower both name a text tower: give one": (
        "--model 和 --tower 都指定了文本编码器：只给一个"
    ),
    "Dialects apply weights in different ways: --movement shows how far embeds differ.": (
        "各方言应用权重的方式不同：--movement 显示嵌入相差多少。"
    ),
    "--json and --html - both write to standard output: give one": (
        "--json 和 --html - 都写到标准输出：只给一个"
    ),
    "Say --force to replace it, or --html with another name.": (
        "用 --force 覆盖，或给 --html 换一个文件名。"
    ),
    # of --prompts FILE -o FOLDER
    "{} is drawn into a folder, not to {}": "{} 要画到文件夹里，而不是 {}",
    "Name one: -o FOLDER.": "请指定文件夹：-o FOLDER。",
    "{} goes with --prompts FILE -o FOLDER; --count N draws several pictures": (
        "{} 与 --prompts FILE -o FOLDER 一起使用；--count N 绘制多张图片"
    ),
    "{} goes with --prompts FILE -o FOLDER": "{} 与 --prompts FILE -o FOLDER 一起使用",
    "{} does not go with --prompts FILE -o FOLDER": "{} 不能与 --prompts FILE -o FOLDER 一起使用",
    "a prompt does not go with --prompts FILE -o FOLDER": (
        "提示词不能与 --prompts FILE -o FOLDER 一起使用"
    ),
    "standard input cannot be read again when a run goes on: give --prompts a file": (
        "继续画时不能再次读取标准输入：请给 --prompts 一个文件"
    ),
    "--address and --workers go with --engine ray": (
        "--address 和 --workers 与 --engine ray 一起使用"
    ),
    "a run that goes on has a seed that is no random one, from 0": (
        "能继续的任务需要从 0 起的固定种子，而不是随机种子"
    ),
    "give a prompt or --prompts, not both": "提示词和 --prompts 只能给一个",
    "{} holds no prompt": "{} 中没有提示词",
    "no weighting rule {}. Did you mean {}? Known: {}.": (
        "没有名为 {} 的权重规则。是不是 {}？可用的有：{}。"
    ),
    "no weighting rule {}. Known: {}.": "没有名为 {} 的权重规则。可用的有：{}。",
    "Leave out --device, or say --device {}.": "请去掉 --device，或用 --device {}。",
    "--clip-skip {} names no layer of {}, which has {}": (
        "--clip-skip {} 不是 {} 的层，它共有 {} 层"
    ),
    "Use a whole number from 1 (last layer) to {} (first).": (
        "请用 1（最后一层）到 {}（第一层）之间的整数。"
    ),
    "--size {}: sides are multiples of {} for this model, such as {}": (
        "--size {}：这个模型的边长须是 {} 的倍数，例如 {}"
    ),
    # of app
    "the page needs the package {}, which is not installed": "网页需要软件包 {}，但没有安装",
    "Install it: {}": "请安装：{}",
    "--adapter goes with --tower": "--adapter 与 --tower 一起使用",
    "{}: there is no folder {}": "{}：没有文件夹 {}",
    "port {} of {} cannot be used: {}": "不能使用 {1} 的端口 {0}：{2}",
    "Choose another with --port.": "请用 --port 选择另一个。",
    "Others can reach {}: the user is {}, the password {}.": (
        "其他人可以访问 {}：用户名是 {}，密码是 {}。"
    ),
    # of serve
    "the service needs the package {}, which is not installed": "服务需要软件包 {}，但没有安装",
    "others can reach {}, so requests need a token": "其他人可以访问 {}，所以请求需要令牌",
    "Set the environment variable {} to a long random text, or leave out --host to serve this "
    "computer only.": "请把环境变量 {} 设为一段长的随机文字，或去掉 --host，只供本机使用。",
    "{} is empty, or has spaces or characters beyond ASCII": "{} 是空的，或含有空格或非 ASCII 字符",
    "Use letters, digits and signs, such as: {}": "请用字母、数字和符号，例如：{}",
    # of app
    "LoRAs are loaded with the package peft, which is not installed": (
        "加载 LoRA 需要软件包 peft，但没有安装"
    ),
    "LoRA {} cannot be used with this model: {}": "LoRA {} 不能用于这个模型：{}",
    "there is no LoRA {} in the folder": "文件夹里没有 LoRA {}",
    "{} is not loaded: only <lora:...> is": "{} 不会加载：只加载 <lora:...>",
    "The folder is empty.": "文件夹是空的。",
    "There are {}.": "其中有：{}。",
    "a prompt has at most {} characters here": "这里的提示词最多 {} 个字符",
    "{} is a number from {} to {} here, not {}": "{} 在这里应为 {} 到 {} 的数，而不是 {}",
    "--size {}: pictures have at most {} pixels here": "--size {}：这里的图片最多 {} 像素",
    "--size {}: this model was made for {}; at most {}": ("--size {}：这个模型适合 {}；最大 {}"),
    "--size {}: this model was made for {}; pictures more than twice that wide or high repeat "
    "themselves": "--size {}：这个模型适合 {}；宽或高超过两倍的图片会重复自身",
    "--steps {}: this model has {} steps at most": "--steps {}：这个模型最多 {} 步",
    "a picture is missing": "缺少图片",
    "Drop one into the field, or choose a file.": "请把图片拖入框中，或选择文件。",
    "{} has more than {} MB": "{} 超过 {} MB",
    "{} has more than {} pixels": "{} 超过 {} 像素",
    "labels are missing, such as: cat, dog, owl": "缺少标签，例如：猫，狗，猫头鹰",
    "there are at most {} labels here, not {}": "这里最多 {} 个标签，而不是 {}",
    "no text tower here {}. Known: {}.": "这里没有文本编码器 {}。可用的有：{}。",
    # lines of --prompts
    "it is no UTF-8": "不是 UTF-8",
    "it is no JSON object: {} at column {}": "不是 JSON 对象：第 {1} 列：{0}",
    "it is no JSON object: {}": "不是 JSON 对象：{}",
    "it is a list at column 1, not an object: {}": "第 1 列是列表而不是对象：{}",
    'it has no "prompt"': '缺少 "prompt"',
    "it has an unknown {}. Did you mean {}?": "其中有未知的 {}。是不是 {}？",
    "it has an unknown {}. Known: {}.": "其中有未知的 {}。可用的有：{}。",
    "{} is text, not {}": "{} 应是文字，而不是 {}",
    "{} is a whole number, not {}": "{} 应是整数，而不是 {}",
    "{} is a number, not {}": "{} 应是数字，而不是 {}",
    "{} counts from 1, the last layer, not {}": "{} 从 1（最后一层）数起，不能是 {}",
    "{} is from {} to {}, not {}": "{} 应在 {} 到 {} 之间，而不是 {}",
    "{} is no file name": "{} 不是文件名",
    "{} is the output of line {} too": "{} 也是第 {} 行的输出",
}
