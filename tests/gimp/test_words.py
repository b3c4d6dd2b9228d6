"""GIMP in another language: the menus, their tooltips and the settings are in that language."""

from __future__ import annotations

import pytest

from support.gimp_house import GimpHouse

ASK = """
pdb = Gimp.get_pdb()
harmonize, engine = pdb.lookup_procedure(PROCEDURE), pdb.lookup_procedure(PROCEDURE + "-engine")
names = {argument.name: argument.nick for argument in harmonize.get_arguments()}
result = [harmonize.get_menu_label(), harmonize.get_blurb(), engine.get_menu_label(), names["strength"]]
"""
WORDS = {
    "": ["_Painterly Harmonize…", "Make an object", "Painterly Harmonize: En_gine and Networks…", "S_trength"],
    "de": [
        "_Painterly Harmonize (malerisch",
        "Lässt ein in ein Gemälde",
        "Painterly Harmonize: _Rechendienst",
        "St_ärke",
    ],
    "es": ["_Painterly Harmonize (integrar", "Hace que un objeto", "Painterly Harmonize: _Motor", "_Intensidad"],
}


@pytest.mark.parametrize("language", WORDS)
def test_menus_and_settings_speak_the_users_language(gimp_house: GimpHouse, language: str) -> None:
    with gimp_house.profile(environment={"LANGUAGE": language}) as profile:
        told = profile.run(ASK)
    for text, beginning in zip(told, WORDS[language], strict=True):
        assert text.startswith(beginning)
