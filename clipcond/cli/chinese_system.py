"""What is said of commands and of files that cannot be used, in Chinese; {} as in `chinese`."""

import errno
import os

SYSTEM = {
    # of typer and click
    "No such command {}.": "没有命令 {}。",
    "Did you mean one of: {}?": "是不是其中之一：{}？",
    "Option {} does not take a value.": "选项 {} 不带值",
    "Option {} requires {} arguments.": "选项 {} 需要 {} 个值",
    "Got unexpected extra argument ({})": "多余的参数：{}",
    "Got unexpected extra arguments ({})": "多余的参数：{}",
    "Got unexpected extra argument(s) ({})": "多余的参数：{}",
    "Missing argument {}.": "缺少参数 {}",
    # options that go together
    "give --from or --prompts, not both": "--from 和 --prompts 只能给一个",
    "--amount goes with --toward": "--amount 与 --toward 一起使用",
    "--encoder goes with --image-adapter": "--encoder 与 --image-adapter 一起使用",
    "--parts takes one picture": "--parts 只用于一张图片",
    "--matrix takes a folder of pictures": "--matrix 用于图片文件夹",
    "give a text to look for, or --image PICTURE": "请给出要找的文字，或 --image 图片",
    "the text to look for is empty": "要找的文字是空的",
    "a finite number is needed, not {}": "需要有限的数，而不是 {}",
    "{} is compared with --hash": "{} 与 --hash 一起使用",
    # of files
    "{} cannot be read: {}": "无法读取 {}：{}",
    "the font {} cannot be read: {}": "无法读取字体 {}：{}",
    "{} cannot be made: {}": "无法创建 {}：{}",
    "the folder {} cannot be made: {}": "无法创建文件夹 {}：{}",
    "there is no file {}": "没有文件 {}",
    "{} is a folder, not a picture": "{} 是文件夹，不是图片",
    "{} is a folder, not a file": "{} 是文件夹，不是文件",
    "{} does not exist; an adapter is one .safetensors file": (
        "{} 不存在；适配器是一个 .safetensors 文件"
    ),
    "{} does not say how it was made": "{} 里没有写它是怎样画的",
    "Sites and editors that save a picture again often leave that out; use the first file.": (
        "网站和编辑软件重新保存图片时常会去掉这些信息；请用最初的文件。"
    ),
    "There is {}: if it was written with the picture, read that.": (
        "旁边有 {}：若是与图片一起写的，请读取它。"
    ),
    "{} is no complete safetensors file: it is empty": "{} 不是完整的 safetensors 文件：它是空的",
    "{} is no complete safetensors file: its header should be {} bytes, the file is {}": (
        "{} 不是完整的 safetensors 文件：文件头应有 {} 字节，而文件只有 {} 字节"
    ),
    "{} is no complete safetensors file: {}": "{} 不是完整的 safetensors 文件：{}",
    "Download or save it again.": "请重新下载或保存。",
    "{} is no safetensors file but {}": "{} 不是 safetensors 文件，而是 {}",
    "It is no model: check the path.": "它不是模型：请检查路径。",
    "{} is a pickle, which can run code when opened": "{} 是 pickle 文件，打开时可能执行代码",
    "Use the model's .safetensors version, or say --allow-pickle: then torch {} or newer reads "
    "weights out of it and nothing else.": (
        "请用该模型的 .safetensors 版本，或加 --allow-pickle："
        "那时由 torch {} 或更新的版本只读取其中的权重。"
    ),
    "Use the model's .safetensors version, or say allow_pickle=True: then torch {} or newer reads "
    "weights out of it and nothing else.": (
        "请用该模型的 .safetensors 版本，或用 allow_pickle=True："
        "那时由 torch {} 或更新的版本只读取其中的权重。"
    ),
    "{} is no diffusers pipeline: it has no model_index.json.": (
        "{} 不是 diffusers 的管线：其中没有 model_index.json。"
    ),
    "Give the folder that holds model_index.json, unet, vae, text_encoder, ...": (
        "请给出含有 model_index.json、unet、vae、text_encoder 等的文件夹。"
    ),
}

_REASONS = {
    errno.ENOENT: "没有该文件或文件夹",
    errno.EACCES: "没有权限",
    errno.EPERM: "不允许这样做",
    errno.EISDIR: "它是文件夹",
    errno.ENOTDIR: "路径中有一部分不是文件夹",
    errno.EEXIST: "已经存在",
    errno.ENOSPC: "磁盘空间不足",
    errno.EDQUOT: "超出了磁盘配额",
    errno.EROFS: "文件系统是只读的",
    errno.EFBIG: "文件太大",
    errno.ENAMETOOLONG: "文件名太长",
    errno.ELOOP: "符号链接层数太多",
    errno.EMFILE: "打开的文件太多",
    errno.ENFILE: "系统打开的文件太多",
    errno.ENOTEMPTY: "文件夹不是空的",
    errno.EBUSY: "设备或文件正在使用",
    errno.EIO: "读写出错",
    errno.EINVAL: "参数无效",
    errno.EPIPE: "管道已断开",
    errno.ETIMEDOUT: "连接超时",
    errno.ECONNREFUSED: "连接被拒绝",
    errno.EADDRINUSE: "地址已被占用",
    errno.ENOMEM: "内存不足",
}
# What the system says of a file, as Python and as libraries in Rust have it.
REASONS = {os.strerror(number): chinese for number, chinese in _REASONS.items()}
