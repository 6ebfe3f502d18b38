"""The page in another language: whole texts, texts with places, HTML, and that nothing of the code's is missing."""

from __future__ import annotations

import json
import re
from html import escape, unescape
from pathlib import Path

import gradio as gr
import orjson
import pytest

from jobs.curves import Sample
from ui.inert import inert
from ui.layout import build_page
from ui.origins import origins_css
from ui.page import SKIP, Settings
from ui.row_cards import row_html, short_row_html
from ui.rows_view import rows_table
from ui.samples_view import samples_html
from ui.translation.answers import HTML_KINDS, PLAIN, TEXT_KINDS, translated_answers, translated_properties
from ui.translation.catalogue import PLACE, Catalogue, catalogue, languages, read_language
from ui.translation.collect import project_texts, texts_of
from ui.translation.markup import translated_html
from ui.translation.requests import CONFIG, _wanted, translated_page

TEXTS = Catalogue(
    "xx",
    {
        "Done": "FERTIG",
        "Running": "LÄUFT",
        "step {0} of {1}": "Schritt {0} von {1}",
        "{0} rows": "{0} Zeilen",
        "{0} to train on, {1} to judge by": "{1} zum Prüfen, {0} zum Lernen",
        "about {0} left": "noch {0}",
        "{0} min": "{0} Minuten",
        "Stays": None,
        "Free {0}": "Frei {0}",
        "{0} in {1}": "{0} binnen {1}",
        "{0} by {1}": "{1} VON {0}",
    },
    {".": "!"},
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Done", "FERTIG"),
        (" done ", " FERTIG "),
        ("Done.", "FERTIG!"),
        ("Step 3 of 9", "Schritt 3 von 9"),
        ("Step 3 of 9 · about 4 min left", "Schritt 3 von 9 · noch 4 Minuten"),
        ("2,000 rows to train on, 30 to judge by", "30 zum Prüfen, 2,000 Zeilen zum Lernen"),
        (
            "mine · 2,000 rows to train on, 30 to judge by · 11:08",
            "mine · 30 zum Prüfen, 2,000 Zeilen zum Lernen · 11:08",
        ),
        ("9 in 29 s", "9 binnen 29 s"),
        ("Free", "Frei"),
        ("Stays", "Stays"),
        ("nobody knows this", "nobody knows this"),
        ("12 %", "12 %"),
        ("nobody knows: …", "nobody knows: …"),
        ("?!", "?!"),
    ],
)
def test_a_text_is_found_whole_by_its_places_or_in_parts(text: str, told: str) -> None:
    assert TEXTS.text(text).strip() == told.strip()


def test_a_long_text_of_somebody_costs_nothing() -> None:
    text = "step " + "of " * 5000
    assert TEXTS.text(text) == text


def test_of_html_only_what_is_read_is_changed() -> None:
    html = (
        '<p class="Done" title="Done">Done <code>Done</code> <b translate="no">Done <i>Done</i></b> '
        '<span translate="no">Done<br>Done</span> Done &amp; <em>Step 1 of 2</em></p>'
    )
    assert translated_html(html, TEXTS) == (
        '<p class="Done" title="FERTIG">FERTIG <code>Done</code> <b translate="no">Done <i>Done</i></b> '
        '<span translate="no">Done<br>Done</span> Done &amp; <em>Schritt 1 von 2</em></p>'
    )


def test_words_that_a_style_sheet_shows_are_told_and_its_rules_stay() -> None:
    sheet = origins_css("training", {"Done": "Done"}, {}, [])
    assert translated_html(sheet, TEXTS) == sheet.replace('"Done"', '"FERTIG"')


def test_lines_and_colours_of_a_plot_keep_the_same_names() -> None:
    """Else the plot, which colours lines by their names, draws none."""
    data = {"columns": ["step", "loss", "line"], "data": [[1, 0.5, "Done"], [2, None, "mine"]], "mark": "line"}
    with gr.Blocks():
        plot = gr.LinePlot()
    (told,) = translated_answers([plot], [gr.update(value=data, color_map={"Done": "red", "mine": "blue"})], TEXTS)
    assert told["value"] == {**data, "data": [[1, 0.5, "FERTIG"], [2, None, "mine"]]}
    assert told["color_map"] == {"FERTIG": "red", "mine": "blue"}
    assert data["data"][0][2] == "Done", "other pages are shown the same"


def test_in_chinese_free_memory_is_not_what_is_needed() -> None:
    words = catalogue("zh")
    assert words is not None
    assert words.text("About 4.2 GB needed; 22.6 GB free in this machine's memory (no GPU here).") == (
        "约需 4.2 GB；本机内存可用 22.6 GB（没有 GPU）。"
    )
    assert words.text("About 7 GB needed; 8 GB free on the RTX 4060.") == "约需 7 GB；RTX 4060 上可用 8 GB。"


def test_what_somebody_wrote_is_never_translated() -> None:
    row = {"messages": [{"role": "user", "content": "Done"}, {"role": "assistant", "content": "Done"}]}
    sample = Sample(step=3, prompt="Done", answer="Done")
    for html in (row_html(row), short_row_html(row, 100), rows_table([row]), inert("Done"), samples_html([sample])):
        assert "FERTIG" not in translated_html(html, TEXTS)
        assert "Done" in html


def test_what_a_handler_answers_is_told_apart_from_what_people_typed() -> None:
    with gr.Blocks():
        outputs = [gr.HTML(), gr.Textbox(), gr.Button(), gr.Dropdown(), gr.HTML()]
    answers = [
        "<p>Done</p>",
        "Done",
        gr.Button("Done", visible=True),
        gr.Dropdown(choices=[("Done", "Done")], value="Done"),
        SKIP,
    ]
    html, typed, button, choice, skipped = translated_answers(outputs, answers, TEXTS)
    assert (html, typed, skipped) == ("<p>FERTIG</p>", "Done", SKIP)
    assert (button["value"], button["visible"]) == ("FERTIG", True)
    assert (choice["choices"], choice["value"]) == ([("FERTIG", "Done")], "Done")


def test_the_page_is_laid_out_in_the_language_and_stays_one_script() -> None:
    props = {"label": "Done", "value": "</script>"}
    config = {"title": "Done", "components": [{"type": "textbox", "props": props}]}
    page = b'<html lang="en"><script>' + CONFIG + orjson.dumps(config) + b";</script>"
    told = translated_page(page, CONFIG, TEXTS)
    assert told.startswith(b'<html lang="xx">')
    assert told.count(b"</script>") == 1
    assert translated_page(b"", b"", TEXTS) == b""
    read = json.loads(told.split(CONFIG)[1].split(b";</script>")[0])
    assert read["components"][0]["props"] == {"label": "FERTIG", "value": "</script>"}


@pytest.mark.parametrize(
    ("cookie", "accepted", "wanted"),
    [
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "de-DE,de;q=0.9", "en"),
        ("", "en-GB,zh;q=0.5", "en"),
        ("", "", "en"),
        ("a=b; hearth_language=en", "zh-CN", "en"),
        ("hearth_language=zh", "en", "zh"),
        ("another/page=1; hearth_language=zh", "en", "zh"),
        ("hearth_language=../../etc", "en", "../../etc"),
    ],
)
def test_the_language_is_the_one_chosen_else_the_browsers(cookie: str, accepted: str, wanted: str) -> None:
    assert _wanted(cookie, accepted) == wanted
    assert (catalogue(wanted) is not None) == (wanted == "zh")


def test_texts_are_found_as_the_code_makes_them() -> None:
    source = (
        '"""Not this documentation."""\n'
        "a = f\"<p class='x'>Keep {count(n, 'good row')} of {total}</p>\"\n"
        'b = "Two lines " "in one: " + name\n'
        'c = "class-name"\n'
        'd = f"{what} was \\"refused\\""\n'
    )
    found = set(texts_of(source))
    assert found == {
        "Keep {0} of {1}",
        "good row",
        "{0} good row",
        "{0} good rows",
        "Two lines in one: {0}",
        '{0} was "refused"',
    }


@pytest.mark.parametrize("language", languages())
def test_every_text_of_the_page_was_looked_at_and_keeps_its_places(language: str) -> None:
    """A new text needs `python -m ui.translation.collect zh`, and then its translation."""
    known = read_language(language)["texts"]
    wanted = set(project_texts())
    assert wanted - set(known) == set()
    assert set(known) - wanted == set()
    for text, told in known.items():
        if told:
            kept, places = PLACE.findall(told), PLACE.findall(text)
            # Only the ending of a plural may be left out.
            left_out = [number for number in places if number not in kept]
            assert all(re.search(rf"[a-z]\{{{number}\}}", text) for number in left_out), text
            assert set(kept) <= set(places), text


ENGLISH, CODE = re.compile(r"\b[a-z]{3,} [a-z]{3,}\b"), re.compile(r"`[^`]*`")


@pytest.mark.parametrize("language", languages())
def test_the_page_as_it_is_laid_out_has_no_english_sentence_left(tmp_path: Path, language: str) -> None:
    texts = catalogue(language)
    assert texts is not None
    left = set()
    for component in build_page(Settings(tmp_path)).config["components"]:
        props = translated_properties(component["type"], component["props"], texts)
        words = [props.get(name) for name in PLAIN] + [label for label, _ in props.get("choices") or []]
        if component["type"] in (*HTML_KINDS, *TEXT_KINDS):
            words.append(re.sub(r"<[^<>]*>", " | ", re.sub(r"<code>.*?</code>", "", str(props.get("value") or ""))))
        # Two words that are no names, one after the other.
        left |= {each for each in words if isinstance(each, str) and ENGLISH.search(CODE.sub("", each))}
    assert left == set()


def test_a_report_within_the_page_is_translated_and_its_script_is_not() -> None:
    report = """<html lang="en"><script>draw("<b>Done")</script><p title="Done">Done</p><pre>Done</pre></html>"""
    told = translated_html(f'<iframe title="Running" srcdoc="{escape(report)}"></iframe><p>Done</p>', TEXTS)
    assert told.startswith('<iframe title="LÄUFT"') and told.endswith("<p>FERTIG</p>")
    inner = unescape(told.split('srcdoc="')[1].split('"')[0])
    assert inner == report.replace('<p title="Done">Done', '<p title="FERTIG">FERTIG').replace('"en"', '"xx"')


def test_the_heads_of_an_editable_table_are_translated_and_its_cells_are_not() -> None:
    with gr.Blocks():
        table = gr.Dataframe(headers=["Done", "Other"], type="array")
    (told,) = translated_answers([table], [[["Done", "1"]]], TEXTS)
    assert told == {"headers": ["FERTIG", "Other"], "data": [["Done", "1"]]}
    (updated,) = translated_answers([table], [gr.Dataframe(value=[["Done", "1"]], label="Running")], TEXTS)
    assert updated["value"] == told and updated["label"] == "LÄUFT"
    assert table.preprocess(table.data_model(**table.postprocess(told).model_dump())) == [["Done", "1"]]
    config = translated_properties("dataframe", table.get_config(), TEXTS)
    assert config["headers"] == ["FERTIG", "Other"]
