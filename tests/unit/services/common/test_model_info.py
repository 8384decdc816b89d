from __future__ import annotations

import json

import pytest

from omnireel.errors import IntegrityError, NotFound
from services.common.model_info import read_cards


def write_card(folder, weights="a" * 64, **more):
    folder.mkdir(parents=True, exist_ok=True)
    card = {
        "kind": folder.name,
        "num_parameters": 10,
        "sha256": {"model.safetensors": weights, "config.json": "c" * 64},
        **more,
    }
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_facts_come_from_the_cards(tmp_path):
    generator = write_card(tmp_path / "tiny" / "generator", licence="MIT")
    vae = write_card(tmp_path / "tiny" / "vae", weights="b" * 64)
    facts = read_cards([generator, vae])
    assert (facts.name, facts.num_parameters) == ("tiny-generator", 20)
    assert (facts.weights_sha256, facts.license) == ("a" * 64, "MIT")
    assert len(facts.version) == 16


def test_the_version_is_the_content_of_all_components(tmp_path):
    generator = write_card(tmp_path / "generator")
    vae = write_card(tmp_path / "vae")
    before = read_cards([generator, vae]).version
    write_card(generator, title="other words")
    assert read_cards([generator, vae]).version == before
    write_card(vae, weights="d" * 64)
    assert read_cards([generator, vae]).version != before


def test_a_missing_card_says_what_to_do(tmp_path):
    with pytest.raises(NotFound, match="WEIGHTS"):
        read_cards([tmp_path / "generator"])


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "vae"}', "\x00"])
def test_a_damaged_card_is_an_integrity_error(tmp_path, text):
    write_card(tmp_path / "vae")
    (tmp_path / "vae" / "card.json").write_text(text)
    with pytest.raises(IntegrityError, match="damaged"):
        read_cards([tmp_path / "vae"])
