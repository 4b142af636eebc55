"""What is said of regions, in Chinese; {} is what a message is about, in the same order."""

REGIONS = {
    "a region has no colon behind its place": "区域的位置后面没有冒号",
    "a region has no prompt behind its colon": "区域的冒号后面没有提示词",
    "a region has no place": "区域没有位置",
    "no place is called {}": "没有名为 {} 的位置",
    "Did you mean {}? Known: {}.": "是不是 {}？可用的有：{}。",
    "Known: {}.": "可用的有：{}。",
    "Write it as 'left: a cat', '0.5,0,1,1: a dog' or 'mask.png: a fox'.": (
        "请写成 '左: 一只猫'、'0.5,0,1,1: 一只狗' 或 'mask.png: 一只狐狸'。"
    ),
    "the weight of a region is a number above 0": "区域的权重是大于 0 的数",
    "Write it as 'left *1.2: a cat'.": "请写成 '左 *1.2: 一只猫'。",
    "a number is missing in a box": "框里缺少数字",
    "a box has 4 numbers, left, top, right and bottom, not {}": (
        "框有 4 个数：左、上、右、下，而不是 {} 个"
    ),
    "A box is left,top,right,bottom in fractions such as 0.5,0,1,1, or in pixels.": (
        "框是 左,上,右,下：用比例，例如 0.5,0,1,1，或用像素。"
    ),
    "a box that is none: it is no finite number": "不是框：不是有限的数",
    "a box that is none: it is outside the picture: it is below 0": "不是框：小于 0，在画面之外",
    "a box that is none: pixels are whole numbers, and fractions are at most 1": (
        "不是框：像素是整数，比例最多为 1"
    ),
    "a box that is none: the box is not wide: its end is not behind its start, {}": (
        "不是框：没有宽度，终点不在起点 {} 之后"
    ),
    "a box that is none: the box is not high: its end is not behind its start, {}": (
        "不是框：没有高度，终点不在起点 {} 之后"
    ),
    "the box ({}) of the region {} is outside the picture, which is {}": (
        "区域 {1} 的框 ({0}) 在画面之外，画面是 {2}"
    ),
    "Boxes in pixels are (left, top, right, bottom).": "像素框是 (左, 上, 右, 下)。",
    "the mask {} cannot be read: there is no such file": "蒙版 {} 无法读取：没有这个文件",
    "the mask {} cannot be read: cannot identify image file {}": "蒙版 {} 无法读取：{} 不是图片",
    "a mask is no picture of the mode {}": "蒙版不能是 {} 模式的图片",
    "Save it as 8 bit.": "请存为 8 位。",
    "Give its path, or a place such as 'left: a cat'.": "请给出路径，或位置，例如 '左: 一只猫'。",
    "the mask {} of {} is neither where it was nor next to the picture": (
        "{1} 的蒙版 {0} 不在原处，也不在图片旁边"
    ),
    "Copy it next to the picture, or give all regions again with its path:": (
        "请把它复制到图片旁边，或重新给出所有区域，写上它的路径："
    ),
    "--heat-map traces pictures without regions: leave out --heat-map, or the regions": (
        "--heat-map 只能记录没有区域的图片：请去掉 --heat-map 或区域"
    ),
    "a mask is 0 all over: nothing is inside": "蒙版全是 0：里面什么也没有",
    "White, or 1, is inside.": "白色（即 1）是里面。",
    "the mask of {} is {}, the picture {}: the mask is stretched to it": (
        "{} 的蒙版是 {}，画面是 {}：蒙版会拉伸到画面"
    ),
    "Crop the mask to the picture's proportions.": "请把蒙版裁成画面的比例。",
    "the region of {} is too small for layers of {}: it hardly counts there, and may be missing": (
        "{} 的区域对 {} 的层来说太小：在那里几乎不起作用，可能画不出来"
    ),
    "Make it larger, or the picture.": "请放大区域或画面。",
    "{} regions are too many: at most {}": "{} 个区域太多：最多 {} 个",
    "Each is a further attention in every layer.": "每个区域都让每一层多算一次注意力。",
    "AND cannot be drawn in a call with regions": "有区域时不能用 AND",
    "Write a region for each part: regions may overlap, and have weights.": (
        "请为每一部分写一个区域：区域可以重叠，也可以有权重。"
    ),
    "This {} cannot draw regions: it has no UNet, whose cross-attention regions are made of.": (
        "这个 {} 不能画区域：它没有 UNet，而区域要用 UNet 的交叉注意力。"
    ),
    "This {} cannot draw regions: regions are made for Stable Diffusion 1, 2 and XL, "
    "and it is {}.": "这个 {} 不能画区域：区域用于 Stable Diffusion 1、2 和 XL，而它是 {}。",
    "This {} cannot draw regions: its {} mixes the rows of text before it reads them.": (
        "这个 {} 不能画区域：它的 {} 在读取文字之前先把各行混合。"
    ),
    "This {} cannot draw regions: its {} reads the rows of text in other places than "
    "cross-attention.": "这个 {} 不能画区域：它的 {} 在交叉注意力以外的地方也读取文字。",
    "This {} cannot draw regions: its {} reads text otherwise than Stable Diffusion's does.": (
        "这个 {} 不能画区域：它的 {} 读取文字的方式与 Stable Diffusion 不同。"
    ),
    "Draw without --region.": "请去掉 --region 再画。",
    "not as the picture was made: The mask {} is another file than the picture was made with.": (
        "与原图的画法不同：蒙版 {} 已不是画图时的文件"
    ),
    "not as the picture was made: Regions: {}, which are none of clipcond's.": (
        "与原图的画法不同：区域：{}，不是 clipcond 的"
    ),
    "not as the picture was made: Base share: {}": "与原图的画法不同：基础提示词的份额：{}",
    "--base-share goes with --region": "--base-share 与 --region 一起使用",
    "a number from 0 to below 1 is needed, not {}": "需要 0 到小于 1 的数，而不是 {}",
}
