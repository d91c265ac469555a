"""The errata as a table: what happens in which document and section, and the tests that show it.

The first test of a row shows what is published, the others the right version; where there is one test alone,
it shows both. Nothing here needs PyTorch.
"""

import ast
from collections import Counter
from pathlib import Path

import pytest

# (document, section, what happens): tests in test_errata_<document>.py
ERRATA = {
    ("000", "PyTorch 實現", "the target is fed unshifted, and copied"): [
        "test_an_unshifted_target_is_copied",
        "test_a_shifted_target_cannot_be_copied",
        "test_words_are_shifted_by_make_batch",
    ],
    ("000", "PyTorch 實現", "one fixed batch of noise, and no loop that decodes"): [
        "test_a_training_loss_of_0_is_no_output",
        "test_held_out_data_and_decoding_show_what_was_learned",
    ],
    ("000", "PyTorch 實現", "squared error on vectors, where the text speaks of words"): [
        "test_squared_error_says_a_word_that_nobody_said",
        "test_cross_entropy_for_words",
        "test_squared_error_for_signals",
    ],
    ("000", "優勢", "variable length without lengths: padding moves the state"): [
        "test_padding_moves_the_state",
        "test_lengths_leave_the_state_alone",
    ],
    ("000", "數學公式", "h'_1 = h_T and y_t = g(h'_t) leave out the update"): [
        "test_the_formula_says_one_output_for_ever",
        "test_the_update_that_is_missing",
    ],
    ("001", "2. 解碼器", "h_T never enters the decoder's equations"): [
        "test_the_source_never_reaches_the_decoder",
        "test_the_decoder_begins_where_the_encoder_ended",
    ],
    ("001", "2. 解碼器", "the decoder's input state is named h_t"): [
        "test_the_encoders_state_in_the_decoders_place",
        "test_the_decoders_own_state",
    ],
    ("001", "2. 解碼器", "no first input and no end"): [
        "test_nothing_begins_and_nothing_ends",
        "test_start_and_end_are_words",
    ],
    ("001", "2. 解碼器", "y_t is a distribution and a token"): [
        "test_y_is_a_distribution_and_a_word",
        "test_logits_and_words_have_their_own_names",
    ],
    ("001", "1. 編碼器", "f is called an activation"): [
        "test_an_activation_alone_makes_no_lstm",
        "test_f_is_a_cell",
    ],
    ("001", "4. 注意力機制", "attention without equations"): [
        "test_the_words_fit_more_than_one_attention",
        "test_attention_in_equations",
    ],
    ("002", "2.3", "the encoder drops c_n"): [
        "test_the_encoder_forgets_its_cell",
        "test_the_state_is_h_and_c",
    ],
    ("002", "3.2 and 3.3", "the demo feeds h_n as input, one step, no state"): [
        "test_the_demo_feeds_the_summary_as_if_it_were_a_word",
        "test_words_as_input_and_the_summary_at_every_step",
    ],
    ("002", "3.3", "IndexError when the returned hidden goes in again"): [
        "test_the_state_that_comes_back_cannot_go_in_again",
        "test_the_state_goes_round",
    ],
    ("002", "3.3 to 6.2", "each snippet alone: NameError nn"): [
        "test_a_snippet_without_its_imports",
        "test_a_snippet_with_its_imports",
    ],
    ("002", "4.3", "does not run, with None, h or (h, c)"): [
        "test_the_attention_decoder_does_not_run",
        "test_the_attention_decoder_runs",
    ],
    ("002", "4.3", "softmax over the batch, a score without h_i"): [
        "test_the_softmax_goes_over_the_batch",
        "test_attention_over_source_time",
    ],
    ("002", "4.3", "a linear score gives weights without s"): [
        "test_a_linear_score_cannot_ask",
    ],
    ("002", "5.3", "time-first input to a batch-first bmm"): [
        "test_self_attention_among_the_examples",
        "test_self_attention_over_time",
    ],
    ("002", "5.3", "scale is a plain tensor"): [
        "test_a_scale_that_stays_behind",
        "test_a_scale_that_is_a_number",
    ],
    ("002", "6.2", "SyntaxError"): [
        "test_a_loop_broken_in_two",
    ],
    ("002", "6.2", "then IndexError, then the sizes, then 9 steps for 10"): [
        "test_the_loop_mended_step_by_step",
        "test_as_many_predictions_as_there_are_tokens",
    ],
    ("002", "6.2", "raw logits are the next input"): [
        "test_logits_are_fed_as_if_they_were_a_word",
        "test_words_are_fed",
    ],
    ("002", "6.3", "translated without words or training"): [
        "test_nothing_was_translated",
        "test_a_sentence_that_was_translated",
    ],
    ("003", "5.2 and 5.3", "NameError F"): [
        "test_a_name_that_was_not_imported",
        "test_every_name_is_imported",
    ],
    ("003", "5.1", "view(1, 1, -1): one token of one sentence"): [
        "test_one_token_of_one_sentence",
        "test_sentences_side_by_side",
    ],
    ("003", "5.3", "attention never looks at h_i, and has one length"): [
        "test_attention_that_does_not_look",
        "test_attention_that_looks",
    ],
    ("003", "5.3", "padding takes its share of the weight"): [
        "test_weight_on_padding",
        "test_no_weight_on_padding",
    ],
    ("003", "4.2 and 5.2", "W_hs h_N at every step in the formula, once in the code"): [
        "test_the_summary_is_told_once",
        "test_both_connections_have_a_name",
    ],
    ("003", "5.2", "log-softmax before the cross-entropy is harmless, softmax is not"): [
        "test_a_softmax_before_the_cross_entropy",
        "test_logits_before_the_cross_entropy",
    ],
    ("003", "3.1", "a GRU in the place of the LSTM does not fit in two places"): [
        "test_a_gru_in_the_place_of_the_lstm",
        "test_either_cell_in_the_same_place",
    ],
    ("003", "5.1", "initHidden makes its zeros on the CPU, wherever the module is"): [
        "test_a_first_state_that_is_made_here",
    ],
    ("004", "编码器", "with a GRU, two layers are unpacked as hidden and cell"): [
        "test_layers_that_are_unpacked_as_hidden_and_cell",
        "test_a_state_is_what_its_cell_says",
    ],
    ("004", "实现", "NameError train_iterator, then random"): [
        "test_two_names_away_from_training",
        "test_a_program_with_its_data",
    ],
    ("004", "实现", "batch.src and batch.trg are gone"): [
        "test_a_batch_without_src_and_trg",
        "test_a_batch_with_names",
    ],
    ("004", "实现", "view of a transposed target"): [
        "test_a_view_of_a_transposed_target",
        "test_a_transposed_target_is_a_target",
    ],
    ("004", "实现", "the encoder reads the padding"): [
        "test_the_encoder_reads_the_padding",
        "test_the_encoder_stops_at_the_end",
    ],
    ("004", "实现", "a batch of padding: nan"): [
        "test_a_batch_of_nothing_but_padding",
        "test_padding_alone_costs_nothing",
    ],
    ("004", "实现 and 注意事项 2", "eval() still draws lots"): [
        "test_evaluation_by_lot",
        "test_evaluation_without_the_target",
    ],
    ("004", "实现", "epoch loss is a mean of means"): [
        "test_a_mean_of_means",
        "test_a_mean_over_tokens",
    ],
    ("004", "实现", "dropout with one layer warns"): [
        "test_dropout_between_the_layers_of_one",
        "test_one_layer_has_no_between",
    ],
    ("004", "实现", "outputs[0] stays 0"): [
        "test_the_first_output_is_never_written",
        "test_every_output_is_a_prediction",
    ],
    ("004", "实现", "`outputs` moves to the device, model and batch do not"): [
        "test_the_outputs_move_alone",
        "test_the_model_and_its_batches_move",
    ],
}
DOCUMENTS = sorted({document for document, _, _ in ERRATA})


def functions_of(document):
    """The test functions of a document's file, by name."""
    source = (Path(__file__).parent / f"test_errata_{document}.py").read_text(encoding="utf-8")
    found = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {function.name: function for function in found if function.name.startswith("test_")}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_row_has_its_tests_and_every_test_its_row(document):
    listed = Counter(name for (number, _, _), names in ERRATA.items() if number == document for name in names)
    assert listed == Counter(list(functions_of(document)))


@pytest.mark.parametrize("row", ERRATA, ids=lambda row: f"{row[0]}, {row[2]}")
def test_docstrings_say_where_to_look(row):
    """All begin with the document, and that of what is published with the section too, in its own script."""
    document, section, _ = row
    functions = functions_of(document)
    published, *right = (ast.get_docstring(functions[name]) for name in ERRATA[row])
    assert published.startswith(f"{document}, {section}: ")
    for docstring in right:
        assert docstring.startswith(f"{document}, ") and "put right: " in docstring.splitlines()[0]
