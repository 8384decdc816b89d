"""Supervised examples for the tiny enhancer from the tasks of the procedural world.

1. Draw a plan of a capability; its careless text is what the user writes (varied further here), its
   exact text is the description to learn, its scene gives the other sections.
2. Render the first frame of each given picture or video; nothing else is looked at.
3. Lay both out as tokens, by the same code that serves (``dialogue.read_prompt``).

A user who is already exact must be left alone, so exact texts are inputs too. Words that nobody
knows are put into question and answer alike: the model learns to copy them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from omnireel.enhancer.schema import StructuredPrompt, mentions
from omnireel.enhancer.tiny.dialogue import Dialogue
from omnireel.enhancer.tiny.facts import Lexicon
from omnireel.mvl import Element, Input, Prompt, parse
from omnireel.recipes.enhancer_variation import vary
from omnireel.types import Clip, MediaKind, Role, VideoFormat
from omnireel.world.captions import caption, structured
from omnireel.world.holdout import Split, split_of
from omnireel.world.lexicon import NOUNS, PLACE_NOUNS, STYLE_NOUNS
from omnireel.world.order import from_left
from omnireel.world.render import frame_times, render_image
from omnireel.world.scene import Level, Scene
from omnireel.world.tasks.catalog import BUILDERS, MAX_DRAWS
from omnireel.world.tasks.film import draw as draw_picture
from omnireel.world.tasks.film import panel_frames
from omnireel.world.tasks.plan import (
    Draw,
    Footage,
    Given,
    Marked,
    Picture,
    Plan,
    Sketch,
    Storyboard,
    TargetFrame,
)

PICTURE_SIDE = 64
DURATION_S = 2.125
PICTURES = VideoFormat(PICTURE_SIDE, PICTURE_SIDE, 17, 8.0)
SUBJECT_ROLES = (Role.REFERENCE, Role.ELEMENT)


@dataclass(frozen=True)
class FullDraw(Draw):
    """Draws plans whose exact text is a full caption: that is what the enhancer shall write."""

    def level(self) -> Level:
        """Always "full"."""
        return "full"


@dataclass(frozen=True, eq=False)
class Lesson:
    """One example in words: what a user gives, what it shows, and the right answer."""

    capability: str
    prompt: Prompt
    media: Mapping[str, tuple[Clip, ...]]
    sees: str
    """What the given pictures show, as the thought of an answer says it; empty without any."""
    answer: StructuredPrompt
    """Mentions are written ``@name`` here."""
    scene: Scene
    source_scene: Scene | None
    puzzle: bool = False
    """Whether the right answer solves one."""


def draw_lesson(capability: str, seed: int, split: Split, lexicon: Lexicon) -> Lesson:
    """The lesson that belongs to these arguments (equal arguments, equal lessons)."""
    key = zlib.crc32(f"enhancer|{capability}|{split}".encode())
    rng = np.random.default_rng((key, seed))
    plan = _draw_plan(capability, FullDraw(rng, split, DURATION_S))
    question, description = _question(plan, rng)
    missing = [m for m in re.findall(r"@\w+", question) if m not in description]
    if missing and capability == "C19":
        description = f"The video starts with @Image_1 and ends with @Image_2. {description}"
    elif missing and capability == "C18":
        description = f"The video starts from @Image_1. {description}"
    elif missing:
        raise RuntimeError(f"{capability} loses {missing}: {description!r}")
    answer = _answer(plan, description)
    sees = _sees(plan)
    if not plan.solution:  # other words would make another puzzle
        question, answer, sees = vary(question, answer, sees, lexicon, rng)
    return Lesson(
        capability=capability,
        prompt=_prompt(question, plan.given),
        media={g.name: (_first_frame(g, plan),) for g in plan.given if _is_seen(g)},
        sees=sees,
        answer=answer,
        scene=plan.scene,
        source_scene=plan.source_scene,
        puzzle=bool(plan.solution),
    )


def exact_text(capability: str, seed: int) -> str:
    """An exact text of the training split, as the generator is trained on; nothing is rendered."""
    key = zlib.crc32(f"enhancer|{capability}|text".encode())
    draw = FullDraw(np.random.default_rng((key, seed)), "train", DURATION_S)
    plan = _draw_plan(capability, draw)
    return plan.solution or plan.text


def with_slots(
    lesson: Lesson, dialogue: Dialogue, lexicon: Lexicon
) -> tuple[str, StructuredPrompt]:
    """Thought and answer of a lesson with slots for names and for words that nobody knows."""

    def slots(text: str) -> str:
        for i, name in enumerate(dialogue.names):
            text = re.sub(rf"@{name}\b", f"<m{i}>", text)
        for i, word in enumerate(dialogue.copies):
            text = re.sub(rf"\b{re.escape(word)}\b", f"<w{i}>", text)
        return text

    texts = {k: slots(v) for k, v in vars(lesson.answer).items() if k != "subjects"}
    subjects = tuple(slots(s) for s in lesson.answer.subjects)
    thought = f"{slots(lesson.sees)} said {lexicon.noted(dialogue.text)}".strip()
    return thought, StructuredPrompt(subjects=subjects, **texts)


def _draw_plan(capability: str, draw: Draw) -> Plan:
    for _ in range(MAX_DRAWS):
        try:
            plan = BUILDERS[capability](draw)
        except ValueError:  # the drawn scene leaves an edit nothing to choose from
            continue
        if split_of(plan.scene) == draw.split and not mentions_lost(plan):
            return plan
    raise RuntimeError(f"{capability} drew no plan of split {draw.split!r} in {MAX_DRAWS} draws")


def mentions_lost(plan: Plan) -> bool:
    """Whether the exact text leaves out a mention of the careless one (frames are repaired)."""
    frames = any(g.role in (Role.FIRST_FRAME, Role.LAST_FRAME) for g in plan.given)
    exact = _prompt(plan.solution or plan.text, plan.given)
    lost = mentions(_prompt(plan.vague_text, plan.given)) - mentions(exact)
    return bool(lost) and not frames


def _question(plan: Plan, rng: np.random.Generator) -> tuple[str, str]:
    """What the user writes and the exact text: mostly careless, sometimes exact already."""
    u = rng.random()
    if plan.solution:
        return (plan.text if u < 0.5 else plan.vague_text), plan.solution
    plain = all(g.role in (Role.FIRST_FRAME, Role.LAST_FRAME) for g in plan.given)
    if u < 0.12:
        return plan.text, plan.text
    if plain and u < 0.40:
        level: Level = "terse" if rng.random() < 0.5 else "short"
        return caption(plan.scene, level, rng), plan.text
    return plan.vague_text, plan.text


def _answer(plan: Plan, description: str) -> StructuredPrompt:
    names = _names(plan)
    scene = plan.scene
    if not scene.bodies:  # the only subject was removed
        place = PLACE_NOUNS[scene.place]
        return StructuredPrompt((), "empty scene", _kept(plan), description, style=place)
    sections = structured(scene, names=names)
    by_role = {g.role: f"@{g.name}" for g in plan.given}
    source = by_role.get(Role.SOURCE, "")
    subjects = [s for s in sections["subjects"] if s]
    if plan.edited:
        pairs = zip(scene.bodies, subjects, strict=True)
        subjects = [s for body, s in pairs if body.id in plan.edited]
    borrowed = f"as in {source}"
    style = f"{sections['style']}, {sections['place']}"
    if source and plan.edited:
        style = borrowed
    motion, camera = str(sections["motion"]), str(sections["camera"])
    if motion_of := source or by_role.get(Role.MOTION, ""):
        motion = f"as in {motion_of}"
    if camera_of := source or by_role.get(Role.CAMERA, ""):
        camera = f"as in {camera_of}"
    summary = " and ".join(subjects) or "empty scene"
    if not source and Role.MOTION not in by_role:
        summary = caption(scene, "terse", None, names=names)
    return StructuredPrompt(
        subjects=tuple(subjects),
        summary=summary,
        kept=_kept(plan),
        description=description,
        motion=motion,
        camera=camera,
        style=style,
    )


def _kept(plan: Plan) -> str:
    said = []
    for g in plan.given:
        match g.role:
            case Role.SOURCE:
                what = "everything else in" if plan.matte is None else "the subject of"
                said.append(f"{what} @{g.name}")
            case Role.REFERENCE | Role.ELEMENT:
                said.append(f"the look of @{g.name}")
            case Role.FIRST_FRAME:
                said.append(f"@{g.name} as the first frame")
            case Role.LAST_FRAME:
                said.append(f"@{g.name} as the last frame")
            case Role.MOTION:
                said.append(f"the motion of @{g.name}")
            case Role.CAMERA:
                said.append(f"the camera of @{g.name}")
            case Role.STORYBOARD:
                said.append(f"the panels of @{g.name}")
            case Role.ANNOTATION:
                said.append(f"the drawing of @{g.name}")
    return ", ".join(said)


def _names(plan: Plan) -> dict[str, str]:
    """What the target's bodies are called: by the input that shows them, if one does."""
    names = {}
    for g in plan.given:
        shot = g.shots[0]
        if g.role in SUBJECT_ROLES and isinstance(shot, Picture) and shot.scene.bodies:
            names[shot.scene.bodies[0].id] = f"@{g.name}"
    return names


def _sees(plan: Plan) -> str:
    """What each picture shows: colour and kind of its bodies from left to right (no picture tells
    another order), and the place and style."""
    said = []
    for g in plan.given:
        if not _is_seen(g):
            continue
        scene = _shown(g, plan.scene)
        shown = from_left(scene, _time_s(g))
        if isinstance(g.shots[0], Sketch):  # no colours, and hardly a place
            kinds = " and ".join(NOUNS[b.kind][0] for b in shown)
            said.append(f"@{g.name} drawing {kinds}")
            continue
        bodies = " and ".join(f"{b.material.color} {NOUNS[b.kind][0]}" for b in shown)
        place = f" {PLACE_NOUNS[scene.place]}" if g.role is not Role.ELEMENT else ""
        style = "" if scene.style == "natural" else f" {STYLE_NOUNS[scene.style]}"
        said.append(f"@{g.name} {bodies or 'empty'}{place}{style}")
    return f"sees {', '.join(said)};" if said else ""


def _is_seen(given: Given) -> bool:
    return given.role not in (Role.MOTION, Role.CAMERA)


def _shown(given: Given, target: Scene) -> Scene:
    shot = given.shots[0]
    return target if isinstance(shot, TargetFrame | Storyboard) else shot.scene


def _time_s(given: Given) -> float:
    """The moment of its scene that the first picture of an input shows."""
    match given.shots[0]:
        case Picture(time_s=time_s):
            return time_s
        case TargetFrame(index=index) if index < 0:
            return DURATION_S
        case Storyboard(side=side):
            return float(frame_times(PICTURES)[panel_frames(side, PICTURES.num_frames)[0]])
        case _:
            return 0.0


def _first_frame(given: Given, plan: Plan) -> Clip:
    shot = given.shots[0]
    if isinstance(shot, Storyboard | Marked | Sketch):
        return Clip(draw_picture(shot, plan, PICTURES))
    scene = _shown(given, plan.scene)
    return Clip(render_image(scene, PICTURE_SIDE, PICTURE_SIDE, _time_s(given)))


def _prompt(text: str, given: tuple[Given, ...]) -> Prompt:
    inputs = [
        Input(
            g.name,
            MediaKind.VIDEO if isinstance(g.shots[0], Footage) else MediaKind.IMAGE,
            role=g.role,
        )
        for g in given
        if g.role is not Role.ELEMENT
    ]
    return parse(text, inputs, [Element(g.name) for g in given if g.role is Role.ELEMENT])
