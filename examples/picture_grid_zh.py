"""Draw sixteen Chinese prompts with the embedded model. Saves picture_grid_zh.png."""

import torch
from PIL import Image

from clipcond import build_pipeline

PROMPTS = """
蓝色背景上的一只猫
一只熊猫，粉色背景
一个（红色的：1.3）苹果和一只狗，蓝色背景
黑色背景，一枚火箭
黄色背景上有一只小青蛙
一颗很大的草莓，白色背景
一只狐狸在一棵树的左边，紫色背景
南瓜、幽灵，黑色背景
企鹅在雨伞的右边，红色背景
masterpiece, 最高质量, 一只独角兽, 粉色背景
【太阳】，（月亮：1.4），紫色背景
绿色背景，披萨和汉堡
一个robot站在yellow背景前
左边是猫头鹰，右边是皇冠，蓝色背景
一个冰淇淋和一个气球BREAK白色背景
一只老虎，绿色背景，扁平风格，可爱
""".strip().splitlines()

pipe = build_pipeline(tower="embedded-zh", clip_skip=2)
generator = [torch.Generator().manual_seed(i) for i in range(len(PROMPTS))]
images = pipe(PROMPTS, generator=generator, num_inference_steps=20).images
side = 128
grid = Image.new("RGB", (8 * side, 2 * side))
for i, image in enumerate(images):
    large = image.resize((side, side), Image.Resampling.LANCZOS)
    grid.paste(large, (i % 8 * side, i // 8 * side))
grid.save("picture_grid_zh.png")
print(grid.size)
