"""What is said of captions and pictures in bulk, in Chinese; {} as in `chinese`."""

BULK = {
    "there is no file or folder {}": "没有文件或文件夹 {}",
    "{} is none of {}": "{} 不是 {} 中的任何一种",
    "Name it by what it holds.": "请按内容给它命名。",
    "there is no file of prompts in {}: {}": "{} 中没有提示词文件：{}",
    "there is no file of captions in {}: {}": "{} 中没有描述文件：{}",
    "{} is no file of prompts, and is left out": "{} 不是提示词文件，已略过",
    "{} is no file of captions, and is left out": "{} 不是描述文件，已略过",
    "{} holds no prompts": "{} 中没有提示词",
    "{} holds no captions": "{} 中没有描述",
    "{} has no columns, but {} is asked for": "{} 没有列，但要求了列 {}",
    "Say which column is which with --column.": "请用 --column 说明各列的含义。",
    "Name the column of the captions with --column.": "请用 --column 指定描述所在的列。",
    "the column {} changes no picture: it is only carried along into metadata.jsonl": (
        "列 {} 不影响图片：只是一并写入 metadata.jsonl"
    ),
    "the columns {} change no picture: they are only carried along into metadata.jsonl": (
        "列 {} 不影响图片：只是一并写入 metadata.jsonl"
    ),
    "the column of the prompts has a name": "提示词的列要有名称",
    "there is no column of kind {}": "没有 {} 这种列",
    "{} has no column {}; it has {}": "{} 没有列 {}；它有 {}",
    "{} has {} columns {}": "{0} 有 {1} 个名为 {2} 的列",
    "{}: it has an unknown {}. Did you mean {}?": "{}：其中有未知的 {}。是不是 {}？",
    "{}: {} are the same column": "{}：{} 是同一列",
    "{} has changed while it was read": "{} 在读取时被改动了",
    "{} has changed since it was written": "{} 在写入之后被改动了",
    "Draw into a new folder.": "请画到新的文件夹里。",
    "another run writes into {}": "另一个任务正在写入 {}",
    "Wait for it, or name another folder.": "请等它完成，或指定另一个文件夹。",
    "{} holds other pictures: {} is {} there, {} here": (
        "{0} 中是另一组图片：{1} 在那里是 {2}，这里是 {3}"
    ),
    "{} holds other embeddings: {} is {} there, {} here": (
        "{0} 中是另一组嵌入：{1} 在那里是 {2}，这里是 {3}"
    ),
    "Name another folder, or remove this one.": "请指定另一个文件夹，或删除这个。",
    "{} is not empty, and holds no pictures of clipcond": "{} 不是空的，也不是 clipcond 的图片",
    "{} is not empty, and holds no embeddings of clipcond": "{} 不是空的，也不是 clipcond 的嵌入",
    "{} prompts cannot be drawn; {} may be": "有 {} 条提示词无法绘制；最多允许 {} 条",
    "{} prompt cannot be drawn; {} may be": "有 {} 条提示词无法绘制；最多允许 {} 条",
    "{} captions cannot be encoded; {} may be": "有 {} 条描述无法编码；最多允许 {} 条",
    "{} caption cannot be encoded; {} may be": "有 {} 条描述无法编码；最多允许 {} 条",
    "Mend the prompts and name a new folder, or allow more with --max-bad.": (
        "请修正提示词并指定新的文件夹，或用 --max-bad 允许更多。"
    ),
    "Mend the captions and name a new folder, or allow more with --max-bad.": (
        "请修正描述并指定新的文件夹，或用 --max-bad 允许更多。"
    ),
    "engine 'ray' needs Ray Data, which is not installed": "引擎 ray 需要 Ray Data，但没有安装",
    "out of memory: {}": "内存不足：{}",
    "Ray stopped: {}": "Ray 停止了：{}",
    "What is done stays: the same command goes on there.": ("已完成的保留：同一命令会从那里继续。"),
    "no kind of files {}. Known: {}.": "没有 {} 这种文件。可用的有：{}。",
    "no kind of files {}. Did you mean {}? Known: {}.": (
        "没有 {} 这种文件。是不是 {}？可用的有：{}。"
    ),
    "no engine {}. Known: {}.": "没有引擎 {}。可用的有：{}。",
    "no engine {}. Did you mean {}? Known: {}.": "没有引擎 {}。是不是 {}？可用的有：{}。",
}
