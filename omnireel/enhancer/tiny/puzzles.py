"""Small puzzles in words, solved before the model reads them: "red plus blue, a ball" is "a purple
ball".

The tiny model tells what people leave out; it has no room to reckon. Colours of things and of mixed
paints, rows of colours, sums of a few and turned motions are read by these rules and tables. Where
pictures or videos are given, and where no rule applies, a prompt stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from omnireel.enhancer.tiny.everyday import read_words
from omnireel.enhancer.tiny.everyday_words import COLOR_LIKE
from omnireel.enhancer.tiny.facts import CLOTHED, Lexicon
from omnireel.mvl.prompt import Prompt, TextPart

THINGS = {
    "green": "grass, meadow, leaf, leaves, frog, lawn, forest, cucumber, emerald",
    "blue": "sea, sky, water, sapphire, blueberry",
    "white": "snow, snowy field, snowfield, cloud, clouds, salt, sugar, polar bear",
    "black": "dark night without stars, night without stars, night sky, night, crow, soot",
    "yellow": "sand, stars, star, sun, sunflower, corn, lemons, bananas",
    "red": "blood, strawberry, fire engine, fire truck, ladybug, stop sign",
    "orange": "fox, tangerine, basketball, carrots",
    "purple": "lavender, violets, amethyst, grapes",
    "pink": "flamingos, pig, bubblegum, cherry blossom",
}
"""Things that have one colour, beside those of
:data:`~omnireel.enhancer.tiny.everyday_words.COLOR_LIKE`."""
MIXTURES = {
    frozenset({"blue", "yellow"}): "green",
    frozenset({"red", "yellow"}): "orange",
    frozenset({"red", "blue"}): "purple",
    frozenset({"red", "white"}): "pink",
    frozenset({"blue", "green"}): "teal",
}
"""What paints make together."""
_OPPOSITES = (
    ("from left to right", "from right to left"),
    ("to the left", "to the right"),
    ("left across", "right across"),
    ("toward the camera", "away from the camera"),
    ("closer to the camera", "away from the camera"),
    ("toward us", "away from us"),
    ("closer to us", "away from us"),
)
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NUMBERS = {name: n for n, word in enumerate(_WORDS, 1) for name in (word, str(n))}

_N = rf"(?:{'|'.join(_NUMBERS)})"
_SUM = (
    rf"(?:(?:only|just) )?(?:(?P<one>{_N})(?: (?P<sign>plus|and|less|minus|times) (?P<two>{_N}))?"
    rf"|(?P<part>half of|half|twice) (?P<whole>{_N}))"
)
_OF_THEM = r"of(?: (?:this|these|them|those))?"
_FIRST = r"(?: , from the first on)?"
_COUNTS = (
    re.compile(rf"^(?P<things>[^.:]+?) : show {_SUM} {_OF_THEM} ?(?P<rest>[^:]*)$"),
    re.compile(rf"^(?:show|take) {_SUM} {_OF_THEM}{_FIRST} : (?P<things>[^.:]+)(?P<rest>[^:]*)$"),
    re.compile(rf"^(?P<things>[^.:]+?) , {_SUM} of them{_FIRST}(?P<rest>)\.?$"),
)
_TURNED = re.compile(
    r"(?:, )?(?:\b(?:but|then|and) )*\b(?:turn (?:(?:its|the|this|that|their) (?:motion|movement|"
    r"direction)|this|that) around|reverse (?:its|the|this|that|their) (?:motion|movement|"
    r"direction))(?: :)?"
)
_THAT_COLOR = re.compile(r"(?:\bdressed )?\b(?:of|in|with) (?:that|this|the next) color\b")
_WHAT_NEXT = re.compile(
    r"\bwhat (?:color )?(?:is|comes|follows) next(?: [?:,])?|\bnext color(?: [?:,])?"
)
_IS = r"\bits color is (?:that of|like that of|like|the same as that of|the same as|the color of)"
_HAS = (
    r"(?:\b(?:that|which|who) (?:has|is|comes) )?(?:\bdressed )?(?:\b(?:in|of|with) )?"
    r"\bthe (?:same )?color (?:of|as|like)"
)
_LEFT_OVER = re.compile(r"^(?: ?[,;:.?])+ ?|(?: [,;:])+(?= [,;:.?]|$)")
_VOWEL = re.compile(r"\b(an?) (?=(\w))")


def solved(lexicon: Lexicon, prompt: Prompt, known: frozenset[str]) -> Prompt:
    """``prompt`` with its puzzles solved, in words of the world; itself without such."""
    if prompt.inputs or prompt.elements:
        return prompt
    text = " ".join(part.text for part in prompt.parts if isinstance(part, TextPart))
    said = " ".join(read_words(text, known)).lower()
    answer = Puzzles(lexicon).solve(said)
    return prompt if answer == said else Prompt(parts=(TextPart(answer),))


@dataclass(frozen=True)
class Puzzles:
    """The rules, with the nouns and colours of a lexicon."""

    lexicon: Lexicon

    def solve(self, said: str) -> str:
        """``said`` (words and marks as the model reads them, one space between) with every puzzle
        that a rule knows replaced by its solution."""
        rules: tuple[Callable[[str], str | None], ...] = (
            self._thing, self._row, self._mixture, self._turned, self._count,
        )  # fmt: skip
        for rule in rules:
            answer = rule(said)
            said = said if answer is None else _tidy(answer)
        return said

    def _thing(self, said: str) -> str | None:
        """The colour is that of a thing."""
        found = self._thing_pattern.search(said)
        return found and self._paint(said, found, _COLOR_OF[found["thing"]])

    def _mixture(self, said: str) -> str | None:
        """The colour is what two paints make."""
        for pattern in self._mixture_patterns:
            if found := pattern.search(said):
                color = MIXTURES.get(frozenset({found["one"], found["two"]}))
                return color and self._paint(said, found, color)
        return None

    def _row(self, said: str) -> str | None:
        """The colour is the next of a row that repeats itself."""
        found = self._row_pattern.search(said)
        if not found or "next" not in said:
            return None
        row = re.findall(self._color, found[0])
        period = next((p for p in range(1, len(row)) if row[p:] == row[:-p]), 0)
        if not period:
            return None
        painted = self._paint(said, found, row[len(row) % period])
        return painted and _WHAT_NEXT.sub("", painted)

    def _turned(self, said: str) -> str | None:
        """The motion is the reverse of what is said."""
        if not _TURNED.search(said):
            return None
        turned, count = _WAY.subn(lambda way: _OTHER_WAY[way[0]], _TURNED.sub("", said))
        return turned if count else None

    def _count(self, said: str) -> str | None:
        """Of a list, the first few are wanted; how many is a small sum."""
        for pattern in _COUNTS:
            if found := pattern.search(said):
                things = re.split(r" , (?:and )?| and ", found["things"].strip())
                count = _sum(found)
                named = all(re.search(self._noun, thing) for thing in things)
                if named and 1 <= count <= len(things):
                    rest = re.sub(
                        r"^[ .]*put (?:it|them) | , from the first on\b", " ", found["rest"]
                    )
                    return f"{' and '.join(things[:count])} {rest.strip()}"
        return None

    def _paint(self, said: str, puzzle: re.Match[str], color: str) -> str | None:
        """``said`` with ``color`` at the noun that the puzzle is about, and without the puzzle."""
        before, after = said[: puzzle.start()], said[puzzle.end() :]
        if that := _THAT_COLOR.search(after):
            before, after = f"{before} {after[: that.start()]}", after[that.end() :]
        nouns = [*re.finditer(self._noun, before)]
        noun = nouns[-1] if nouns else re.search(self._noun, after)
        if noun is None or re.search(rf"{self._color} $", noun.string[: noun.start()]):
            return None
        clothed = self.lexicon.stated(noun[0])[0][0].name in CLOTHED
        painted = f"{noun[0]} in {color}" if clothed else f"{color} {noun[0]}"
        whole = f"{noun.string[: noun.start()]}{painted}{noun.string[noun.end() :]}"
        return f"{whole} {after}" if nouns else f"{before} {whole}"

    @cached_property
    def _noun(self) -> str:
        return self._words("kind")

    @cached_property
    def _color(self) -> str:
        return self._words("color")

    def _words(self, group: str) -> str:
        facts = (fact for fact in self.lexicon.facts if fact.group == group)
        words = {word for fact in facts for word in (*fact.said, *fact.written)}
        return _one_of(words)

    @cached_property
    def _thing_pattern(self) -> re.Pattern[str]:
        thing = rf"(?:(?:a|an|the|some|my) )?(?:\w+ ){{0,2}}?(?P<thing>{_one_of(_COLOR_OF)})"
        other = r"(?! (?:is|are|was|turns|changes|looks)\b)"
        return re.compile(rf"(?:[.,;] )?(?:{_IS}|{_HAS}) {thing}{other}")

    @cached_property
    def _mixture_patterns(self) -> tuple[re.Pattern[str], ...]:
        pair = rf"(?P<one>{self._color}) (?:and|with|plus) (?P<two>{self._color})(?: paints?)?\b"
        mix = r"(?:combin|mix|blend)(?:e|ing|ture)?"
        got = rf"(?:(?:you|we) get (?:(?:when|if) (?:you|we)|by|from) {mix} )"
        together = r"(?: (?:make|give)s?)?(?: together)?"
        patterns = (
            rf"(?:[.,;] )?\bits color is what {got}?{pair}{together}",
            rf"(?:\b(?:in|of|with) )?\bthe color (?:that )?(?:{got}|{mix} ){pair}{together}",
            rf"(?:\b(?:in|of|with) )?\ba {mix} of {pair}",
            rf"^{mix} {pair}(?: together)?(?: [:,.;])?",
            rf"(?P<one>{self._color}) (?:plus|mixed with) (?P<two>{self._color})",
        )
        return tuple(map(re.compile, patterns))

    @cached_property
    def _row_pattern(self) -> re.Pattern[str]:
        then = r"(?: (?:,|;|-|then|and|again))*"
        return re.compile(rf"(?:\bfirst )?{self._color}(?:{then} {self._color}){{2,}}(?: again)?")


def _one_of(phrases: Sequence[str] | set[str] | dict[str, str]) -> str:
    """A pattern for the phrases, longer ones first."""
    return rf"\b(?:{'|'.join(sorted(map(re.escape, phrases), key=lambda p: (-len(p), p)))})\b"


def _colors_of() -> dict[str, str]:
    found = {thing: color for color, text in COLOR_LIKE.items() for thing in text.split()}
    return found | {t.strip(): color for color, text in THINGS.items() for t in text.split(",")}


_COLOR_OF = _colors_of()
_OTHER_WAY = {b: a for a, b in reversed(_OPPOSITES)} | dict(_OPPOSITES)
_WAY = re.compile(_one_of(_OTHER_WAY))


def _sum(found: re.Match[str]) -> int:
    """The number that the groups of ``_SUM`` tell; 0: no whole one."""
    if found["part"]:
        whole = _NUMBERS[found["whole"]]
        return 2 * whole if found["part"] == "twice" else whole // 2 * (whole % 2 == 0)
    one, two = _NUMBERS[found["one"]], _NUMBERS.get(found["two"] or "", 0)
    match found["sign"]:
        case "less" | "minus":
            return one - two
        case "times":
            return one * two
    return one + two


def _tidy(text: str) -> str:
    text = _LEFT_OVER.sub("", re.sub(r"\s+", " ", text).strip())
    return _VOWEL.sub(lambda m: f"{'an' if m[2] in 'aeiou' else 'a'} ", text)
