"""The name under which each class is shown: one or two plain English words, unlike all others.

WordNet's first name is it, but where that name is a breed's jargon, an odd spelling or a word that means something else
to most readers, another is chosen here.
"""

from training.image.dataset import ClassNames

# By WordNet's first name, which the data set gives.
_PLAINER = {
    "American alligator": "alligator",
    "American lobster": "lobster",
    "Arabian camel": "camel",
    "European fire salamander": "salamander",
    "alp": "mountain",
    "bannister": "banister",
    "beach wagon": "station wagon",
    "beacon": "lighthouse",
    "bighorn": "bighorn sheep",
    "black widow": "black widow spider",
    "brass": "memorial plaque",
    "chain": "metal chain",
    "chest": "wooden chest",
    "confectionery": "candy store",
    "convertible": "convertible car",
    "crane": "construction crane",
    "drumstick": "drumsticks",
    "fly": "housefly",
    "gasmask": "gas mask",
    "gondola": "gondola boat",
    "hog": "pig",
    "iPod": "music player",
    "ice lolly": "popsicle",
    "jinrikisha": "rickshaw",
    "king penguin": "penguin",
    "lesser panda": "red panda",
    "magnetic compass": "compass",
    "mantis": "praying mantis",
    "monarch": "monarch butterfly",
    "nail": "metal nail",
    "orange": "orange fruit",
    "organ": "pipe organ",
    "pay-phone": "payphone",
    "plate": "plate of food",
    "pole": "wooden pole",
    "pop bottle": "soda bottle",
    "potpie": "pot pie",
    "projectile": "missile",
    "reel": "fishing reel",
    "sulphur butterfly": "yellow butterfly",
    "tabby": "tabby cat",
    "tailed frog": "frog",
    "teddy": "teddy bear",
    "thatch": "thatched roof",
    "torch": "burning torch",
    "vestment": "priest's robe",
    "walking stick": "stick insect",
}


def display_names(names: ClassNames) -> list[str]:
    """Returns a name for each class, in their order.

    Raises:
        ValueError: two classes would be shown under one name.
    """
    shown = [_PLAINER.get(words[0], words[0]) for words in names.words]
    if len(set(shown)) != len(shown):
        raise ValueError(f"names of several classes: {sorted({name for name in shown if shown.count(name) > 1})}")
    return shown
