"""What `--from` says that it does otherwise than the picture was made, in Chinese."""

import re

_ENGLISH, _CHINESE = "not as the picture was made: ", "与原图的画法不同："
_LINES = {
    "Embeddings that are not loaded: {}.": "没有加载的嵌入：{}。",
    "Sampler {}, which diffusers does not have; the pipeline's {} is used.": (
        "采样器 {}：diffusers 没有，改用管线自己的 {}。"
    ),
    "Schedule type Automatic: which one that was for {} is not written.": (
        "调度类型 Automatic：文件没有写 {} 当时用的是哪一种。"
    ),
    "Noise levels: spaced as the pipeline's scheduler says, {}.": (
        "噪声级别：按管线的调度器分布，{}。"
    ),
    "Noise: drawn on the CPU here, by A1111 on the GPU unless its file says RNG: CPU.": (
        "噪声：这里在 CPU 上生成；A1111 在 GPU 上生成，除非文件写有 RNG: CPU。"
    ),
    "No denoising strength from 0 to 1 is given: the pipeline's own is used.": (
        "没有给出 0 到 1 的重绘幅度：使用管线自己的。"
    ),
    "Clip skip: {}; with several text towers A1111 does not follow it, nor this.": (
        "Clip skip：{}；有多个文本编码器时 A1111 不使用它，这里也不用。"
    ),
    "Clip skip: {}; which block of Stable Diffusion 2 that is for A1111 is not known, so it is "
    "counted from the last of {}.": (
        "Clip skip：{}；A1111 怎样数 Stable Diffusion 2 的层无从得知，这里从 {} 层的末尾数起。"
    ),
    "The picture's layer is the 24th block of Stable Diffusion 2; here block {} is the last, and "
    "is read.": "原图用的是 Stable Diffusion 2 的第 24 层；这里最后一层是第 {} 层，就用它。",
    "The picture's layer is the last block; here the block before it is read.": (
        "原图用的是最后一层；这里用的是它的前一层。"
    ),
    "The picture's layer is for some of its texts the last block; here the block before it is "
    "read.": "原图的一部分文本用的是最后一层；这里用的是它的前一层。",
    "No steps are given: the pipeline's own number is used.": "没有写步数：使用管线自己的。",
    "No CFG scale is given: the pipeline's own is used.": "没有写 CFG scale：使用管线自己的。",
    "No sampler is given: the pipeline's {} is used.": "没有写采样器：使用管线的 {}。",
    "No schedule type is given: noise levels are spaced evenly.": (
        "没有写调度类型：噪声级别均匀分布。"
    ),
    "Size: {}; the pipeline takes the picture's.": "尺寸：{}；管线使用输入图片的尺寸。",
    "Precision: {}; this pipeline has {}.": "精度：{}；这个管线是 {}。",
    "Regions: {}, which are none of clipcond's.": "区域：{}，不是 clipcond 的写法。",
    "The mask {} is another file than the picture was made with.": (
        "遮罩 {} 与画原图时的不是同一个文件。"
    ),
    "Encoder: {}; how it reads brackets and weights is not followed, they are read as this "
    "pipeline does.": "编码节点：{}；这里不照它的方式读括号和权重，而按管线的方式读。",
    "Weights: {}; that is not followed, they act as this pipeline's do.": (
        "权重：{}；这里不照此处理，权重按管线的方式起作用。"
    ),
    "Dialects: some of the texts are in {}; all are read as this pipeline does.": (
        "方言：一部分文字是 {}；这里全部按管线的方式读。"
    ),
    "{}: its texts are joined by commas here; ComfyUI draws with each of them, and nearest to that "
    "is AND of dialect a1111.": (
        "{}：它的几段文字在这里用逗号连成一段；ComfyUI 分别用每一段来画，"
        "最接近的是方言 a1111 的 AND。"
    ),
    "{}: its texts are joined by commas here; ComfyUI encodes each in chunks of its own, and "
    "nearest to that is BREAK of dialect a1111.": (
        "{}：它的几段文字在这里用逗号连成一段；ComfyUI 把每一段编码成各自的块，"
        "最接近的是方言 a1111 的 BREAK。"
    ),
    "{}: its texts are joined by commas here; ComfyUI mixes their embeddings, and its strength is "
    "not applied.": (
        "{}：它的几段文字在这里用逗号连成一段；ComfyUI 混合它们的嵌入，这里没有应用它的强度。"
    ),
    "{}: its texts are joined by commas here; what the node makes of them is not followed.": (
        "{}：它的几段文字在这里用逗号连成一段；节点对它们的处理没有照做。"
    ),
    "{}: what it joins to its first text, such as zeros or the same text, is left out here; "
    "ComfyUI draws with each of them, and nearest to that is AND of dialect a1111.": (
        "{}：它接到第一段文字上的内容（例如零向量或同样的文字）在这里略去；"
        "ComfyUI 分别用每一段来画，最接近的是方言 a1111 的 AND。"
    ),
    "{}: what it joins to its first text, such as zeros or the same text, is left out here; "
    "ComfyUI encodes each in chunks of its own, and nearest to that is BREAK of dialect a1111.": (
        "{}：它接到第一段文字上的内容（例如零向量或同样的文字）在这里略去；"
        "ComfyUI 把每一段编码成各自的块，最接近的是方言 a1111 的 BREAK。"
    ),
    "{}: what it joins to its first text, such as zeros or the same text, is left out here; "
    "ComfyUI mixes their embeddings, and its strength is not applied.": (
        "{}：它接到第一段文字上的内容（例如零向量或同样的文字）在这里略去；"
        "ComfyUI 混合它们的嵌入，这里没有应用它的强度。"
    ),
    "{}: what it joins to its first text, such as zeros or the same text, is left out here; "
    "what the node makes of them is not followed.": (
        "{}：它接到第一段文字上的内容（例如零向量或同样的文字）在这里略去；节点对它们的处理没有照做。"
    ),
    "This diffusers has no {}.": "这个版本的 diffusers 没有 {}。",
    "scheduler {} cannot be used here: {}": "调度器 {} 在这里不能用：{}",
    "scheduler {} cannot be used with this model: {}": "调度器 {} 不能用于这个模型：{}",
}
TAKING = {
    **{_ENGLISH + english: _CHINESE + chinese for english, chinese in _LINES.items()},
    "{} is ComfyUI's JSON, but is damaged": "{} 是 ComfyUI 的 JSON，但已损坏",
    "{} is SwarmUI's JSON, but is damaged": "{} 是 SwarmUI 的 JSON，但已损坏",
    "{} has the workflow of ComfyUI's page, but not the graph that its API takes": (
        "{} 里有 ComfyUI 页面的工作流，但没有它的 API 所用的节点图"
    ),
    "Open it in ComfyUI, choose Export (API), and give what that writes.": (
        "请在 ComfyUI 中打开它，选择 Export (API)，并使用它写出的内容。"
    ),
    "{} is in an unknown encoding": "{} 的编码未知",
    "{} seems to be in an unknown encoding": "{} 的编码似乎未知",
    "{} is read as GBK, but may be EUC-JP": "{} 按 GBK 读出，但也可能是 EUC-JP 编码",
    "Its signs may be lost or others; use the picture's first file, or write the prompt again.": (
        "其中的字符可能丢失或变成别的字符；请使用图片最初的文件，或重新写提示词。"
    ),
    "Use the picture's first file.": "请使用图片最初的文件。",
    "{} is a workflow as ComfyUI's page saves it, not as its API takes it": (
        "{} 是 ComfyUI 页面保存的工作流，不是它的 API 所用的形式"
    ),
    "{} is other JSON with ComfyUI's graph in it": "{} 是含有 ComfyUI 节点图的其他 JSON",
    "{} is JSON of another tool": "{} 是其他工具的 JSON",
    "{} is no JSON of ComfyUI or SwarmUI, or is damaged": (
        "{} 不是 ComfyUI 或 SwarmUI 的 JSON，或者已损坏"
    ),
    "In ComfyUI choose Export (API) and give what that writes, or give a picture's file.": (
        "请在 ComfyUI 中选择 Export (API) 并使用它写出的内容，或者使用图片文件。"
    ),
    "Copy it again, all of it.": "请重新完整复制。",
    "Give the graph alone.": "请只给出节点图。",
    "Give its prompt alone, or the picture's file.": "请只给出其中的提示词，或者使用图片文件。",
    "{} does not say the seed; {} is used": "{} 里没有写种子；使用 {}",
    "Input should be a valid boolean, unable to interpret input": "需要 true 或 false",
}
# A setting of the file and its value, which stay as they are; sentences are those above.
SETTING = re.compile(rf"{_ENGLISH}(?!Regions: )([^:'\n]{{1,64}}: [^\n]*)")
SETTING_IN_CHINESE = _CHINESE + "{}"
REGION, REGION_IN_CHINESE = f"{_ENGLISH}Regions: ", _CHINESE + "区域：{}：{}"
_POWER = re.compile(r"10 to the power of (\d+)")


def count_in_chinese(part: str) -> str:
    """Write a count that is too long for its digits."""
    return _POWER.sub(r"10 的 \1 次方", part)
