"""What is said of prompt editing where it is drawn, in Chinese."""

EDITS = {
    "{} is prompt editing: a text that begins at {}": "{} 会按步骤变化：从 {} 开始出现",
    "{} is prompt editing: a text that changes at {}": "{} 会按步骤变化：在 {} 处变化",
    "For a weight write {}; for editing write {}.": "要写权重，请写 {}；要按步骤变化，请写 {}。",
    "{} never changes while denoising; only {} is drawn": "{} 不会随步骤变化；只画出 {}",
    "{} never changes while denoising; nothing of it is drawn": ("{} 不会随步骤变化；完全不会画出"),
    "Choose a step from {} to {}, or a fraction such as {}.": (
        "请选 {} 到 {} 之间的一步，或比例，例如 {}。"
    ),
    "Choose step {}, or a fraction such as {}.": "请选第 {} 步，或比例，例如 {}。",
    "Give the brackets around it more steps.": "请让外面的括号有更多的步数。",
}
