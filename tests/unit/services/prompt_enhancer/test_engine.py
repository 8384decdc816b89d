from __future__ import annotations

import pytest

from omnireel.errors import Cancelled, InvalidInput, NotFound
from omnireel.mvl import Prompt, TextPart
from services.common.settings import load_settings
from services.prompt_enhancer.engine import EnhancerEngine, folder_version, model_info
from services.prompt_enhancer.settings import PromptEnhancerSettings


def settings(**more) -> PromptEnhancerSettings:
    return load_settings(PromptEnhancerSettings, store_url="file:///s", **more)


def test_off_passes_prompts_through_and_says_so():
    engine = EnhancerEngine.load(settings(backend="off"))
    prompt = Prompt((TextPart("a ball"),))
    engine.warm_up()
    made = engine.enhance(prompt, {}, cancelled=lambda: False)
    assert made.prompt == prompt
    assert made.fallback_reason
    assert (engine.info.name, engine.info.capabilities.can_enhance) == ("off", False)


def test_a_cancelled_call_does_not_begin():
    engine = EnhancerEngine.load(settings(backend="off"))
    with pytest.raises(Cancelled):
        engine.enhance(Prompt((TextPart("a ball"),)), {}, cancelled=lambda: True)


def test_missing_weights_are_not_found(tmp_path):
    with pytest.raises(NotFound, match="WEIGHTS"):
        model_info(settings(weights=tmp_path).spec(), "cpu")


def test_settings_say_which_back_end(monkeypatch):
    monkeypatch.setenv("OMNIREEL_PROMPT_ENHANCER_BACKEND", "openai")
    monkeypatch.setenv("OMNIREEL_PROMPT_ENHANCER_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("OMNIREEL_PROMPT_ENHANCER_MODEL", "m-7")
    spec = settings().spec()
    assert (spec.kind, spec.url, spec.model) == ("openai", "http://127.0.0.1:1/v1", "m-7")
    info = EnhancerEngine.load(settings()).info
    assert (info.name, info.version, info.device) == ("m-7", "m-7", "http://127.0.0.1:1/v1")


def test_half_a_back_end_is_refused():
    with pytest.raises(InvalidInput, match="folder of a model"):
        settings(backend="transformers").spec()
    with pytest.raises(InvalidInput, match="OMNIREEL_PROMPT_ENHANCER_BACKEND"):
        settings(backend="other")
    with pytest.raises(InvalidInput, match="tiny enhancer uses no 'cuda'"):
        settings(device="cuda").spec()


def test_the_version_of_a_folder_is_its_content(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    before = folder_version(tmp_path)
    assert folder_version(tmp_path) == before
    (tmp_path / "config.json").write_text("[]")
    assert folder_version(tmp_path) != before
