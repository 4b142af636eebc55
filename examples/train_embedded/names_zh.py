"""What the nouns of the world are called in Chinese, and what they are counted in."""

from __future__ import annotations

from world import NOUNS

# English name: what it is counted in, then its names, the usual one first
_NAMES = """
cat 只 猫 猫咪
dog 只 狗 狗狗
mouse 只 老鼠 鼠
rabbit 只 兔子 兔
fox 只 狐狸
bear 只 熊 棕熊
panda 只 熊猫 大熊猫
koala 只 考拉 树袋熊
tiger 只 老虎 虎
lion 头 狮子
cow 头 奶牛 牛 母牛
pig 头 猪 猪猪
frog 只 青蛙 蛙
monkey 只 猴子 猴
chicken 只 鸡 公鸡 母鸡
penguin 只 企鹅
duck 只 鸭子 鸭
owl 只 猫头鹰
horse 匹 马
unicorn 只 独角兽
bee 只 蜜蜂
butterfly 只 蝴蝶
snail 只 蜗牛
ladybug 只 瓢虫
turtle 只 乌龟 海龟
snake 条 蛇
octopus 只 章鱼 八爪鱼
crab 只 螃蟹
fish 条 鱼 热带鱼
dolphin 只 海豚
whale 头 鲸鱼 鲸
shark 条 鲨鱼
elephant 头 大象
giraffe 只 长颈鹿
zebra 匹 斑马
camel 头 骆驼
apple 个 苹果
pear 个 梨 梨子
orange 个 橘子 橙子 桔子
lemon 个 柠檬
banana 根 香蕉
watermelon 块 西瓜
grapes 串 葡萄
strawberry 颗 草莓
cherry 颗 樱桃
peach 个 桃子 水蜜桃
pineapple 个 菠萝 凤梨
tomato 个 番茄 西红柿
carrot 根 胡萝卜
corn 根 玉米
mushroom 朵 蘑菇
bread 块 面包
cheese 块 奶酪 芝士
burger 个 汉堡 汉堡包
pizza 块 披萨 比萨
donut 个 甜甜圈
cookie 块 饼干 曲奇
cake 个 蛋糕 生日蛋糕
ice cream 个 冰淇淋 冰激凌
egg 个 鸡蛋 蛋
coffee 杯 咖啡
car 辆 汽车 轿车
taxi 辆 出租车 的士
bus 辆 公交车 公共汽车 巴士
fire truck 辆 消防车
tractor 辆 拖拉机
bicycle 辆 自行车 单车
rocket 枚 火箭
airplane 架 飞机
helicopter 架 直升机 直升飞机
boat 艘 帆船 船
train 列 火车
football 个 足球
basketball 个 篮球
guitar 把 吉他
drum 个 鼓
camera 台 相机 照相机
laptop 台 笔记本电脑 电脑
phone 部 手机 电话
lamp 个 灯泡 电灯
key 把 钥匙
hammer 把 锤子 铁锤
scissors 把 剪刀
books 摞 书 书本
balloon 个 气球
gift 份 礼物 礼盒
crown 顶 皇冠 王冠
diamond 颗 钻石
umbrella 把 雨伞 伞
house 座 房子 房屋
tree 棵 树 树木
cactus 棵 仙人掌
sunflower 朵 向日葵
rose 朵 玫瑰 玫瑰花
moon 轮 月亮 弯月
star 颗 星星 五角星
sun 轮 太阳
fire 团 火 火焰
heart 颗 爱心 心
ghost 个 幽灵 鬼
robot 个 机器人
alien 个 外星人
skull 个 骷髅 骷髅头
pumpkin 个 南瓜 南瓜灯
clock 个 闹钟 时钟
hat 顶 礼帽 帽子
shoe 只 鞋子 运动鞋 鞋
smiley 个 笑脸 开心的脸
angry face 个 生气的脸 怒脸
cool face 个 墨镜脸 戴墨镜的脸
clown 个 小丑
"""


def _read() -> dict[str, list[str]]:
    """English name -> measure word and names."""
    rows = {}
    for line in _NAMES.strip().splitlines():
        words = line.split(" ")
        first = next(i for i, word in enumerate(words) if not word.isascii())
        rows[" ".join(words[:first])] = words[first:]
    return rows


_ROWS = _read()
MEASURES = tuple(_ROWS[noun.names[0]][0] for noun in NOUNS)
NAMES = tuple(tuple(_ROWS[noun.names[0]][1:]) for noun in NOUNS)
