"""Sentence embeddings: a text as a point among texts that mean something like it, by an ONNX model of BERT's family.

Imported only where embeddings are asked for; the packages come with the extra ``embeddings``.
"""

import json
import lzma
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl

from vigie.errors import MissingExtraError, ModelError
from vigie.features.encoder_files import EncoderFiles

SingleArray = np.ndarray[Any, np.dtype[np.float32]]

MAX_TOKENS = 128
_BATCH = 16  # texts of one length that go through the model together; 32 are no faster
_MASK = re.compile("<[a-z]+>")
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_TRIED = (3, 17, 40)  # lengths at which batches are compared with single texts


def as_read(template: str) -> str:
    """Return what the encoder sees of a template: all but the masks, which say little and take three tokens each.

    Macro-F1 on log lines after 100 answers, without masks, with them as words, and as they are: severity .61 .60 .59, event type .59
    .58 .58, category .80 .73 .78; on tweets no difference.

    Examples
    --------
    >>> as_read("took <duration> at <path>")
    'took at'
    """
    return " ".join(_MASK.sub(" ", template).split())


class SentenceEncoder:
    """Turns texts into rows of length 1: the mean of the last layer over a text's tokens (or its first token, if so trained).

    An embedding is the same to the last bit whatever the batch and however many threads there are. So there is no padding: a
    batch is texts of one length. And models whose numbers depend on what is computed beside them (those that quantise as they
    go) get one text at a time; a try at the start tells.

    Parameters
    ----------
    files
        Model and tokenizer.

    Raises
    ------
    MissingExtraError
        Its packages are not installed.
    ModelError
        The files are no such model.

    References
    ----------
    Reimers, Gurevych (2019), Sentence-BERT: sentence embeddings using Siamese BERT-networks.
    """

    def __init__(self, files: EncoderFiles) -> None:
        self.files = files
        self._tokenizer = _tokenizer(files)
        self._session = _session(files)
        self._inputs = [given.name for given in self._session.get_inputs()]
        self._batch = _BATCH if all(map(self._is_steady, _TRIED)) else 1
        self.n_columns = self._run([self._tokens("")]).shape[1]

    @property
    def digest(self) -> str:
        """Names the encoder: the same for the same files, wherever they lie."""
        return self.files.digest

    def encode(self, texts: pl.Series, *, n_threads: int = 1) -> SingleArray:
        """Return embeddings, shape (n, n_columns); equal texts are encoded once.

        Parameters
        ----------
        texts
            Normalised (no nulls), length n.
        n_threads
            Batches encoded at one time.
        """
        different = texts.unique(maintain_order=True).to_list()
        tokens = [self._tokens(text) for text in different]
        found = np.zeros((len(different), self.n_columns), dtype=np.float32)
        with ThreadPoolExecutor(n_threads) as threads:
            batches = list(self._batches(tokens))
            for rows, some in zip(batches, threads.map(self._run, _taken(tokens, batches)), strict=True):
                found[rows] = some
        places = {text: place for place, text in enumerate(different)}
        return found[[places[text] for text in texts]]

    def _batches(self, tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Yield rows of one length, short ones first."""
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        for _, group in groupby(order, key=lambda row: len(tokens[row])):
            rows = list(group)
            yield from (rows[start : start + self._batch] for start in range(0, len(rows), self._batch))

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(as_read(text)).ids
        return ids

    def _run(self, tokens: Sequence[Sequence[int]]) -> SingleArray:
        """Return embeddings of texts of one length, at least one."""
        ids = np.array(tokens, dtype=np.int64).reshape(len(tokens), -1)
        given = dict(zip(_INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True))
        output = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        if output.ndim == 3:  # noqa: PLR2004 — texts, tokens, columns
            output = output[:, 0] if self.files.pooling == "cls" else output.mean(axis=1)
        lengths = np.sqrt(np.einsum("ij,ij->i", output, output))
        embeddings: SingleArray = (output / np.maximum(lengths, 1e-12)[:, None]).astype(np.float32)
        return embeddings

    def _is_steady(self, n_tokens: int) -> bool:
        """Tell whether texts of some length get the same embeddings together and one by one."""
        first = self._tokens("a few words to try")
        tokens = [(first * n_tokens)[place : place + n_tokens] for place in range(_BATCH)]
        single = np.concatenate([self._run([one]) for one in tokens])
        return np.array_equal(self._run(tokens), single)


def _taken(tokens: Sequence[Sequence[int]], batches: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    return ([tokens[row] for row in rows] for rows in batches)


def _tokenizer(files: EncoderFiles) -> Any:
    try:
        import tokenizers  # noqa: PLC0415 — an extra
    except ImportError as error:
        raise MissingExtraError("a sentence encoder", "embeddings") from error
    try:
        content = files.tokenizer.read_bytes()
        text = (lzma.decompress(content) if files.tokenizer.suffix == ".xz" else content).decode("utf-8")
        if files.tokenizer.suffix == ".json":
            json.loads(text)["model"]["vocab"]
        else:
            vocabulary = {piece: place for place, piece in enumerate(text.splitlines())}
            vocabulary["[CLS]"], vocabulary["[SEP]"]
    except (OSError, ValueError, KeyError, TypeError, lzma.LZMAError) as error:
        raise ModelError(f"{files.tokenizer} is no tokenizer that can be used: {error!r}") from error
    if files.tokenizer.suffix == ".json":
        tokenizer = tokenizers.Tokenizer.from_str(text)
    else:
        tokenizer = tokenizers.BertWordPieceTokenizer(vocabulary, lowercase=True)
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def _session(files: EncoderFiles) -> Any:
    try:
        import onnxruntime  # noqa: PLC0415 — an extra
        from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 — where its errors are
    except ImportError as error:
        raise MissingExtraError("a sentence encoder", "embeddings") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(files.model), options, providers=["CPUExecutionProvider"])
    except (state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NoSuchFile) as error:
        raise ModelError(f"{files.model} is no ONNX model that can be used: {error}") from error
    unknown = {given.name for given in session.get_inputs()} - set(_INPUTS)
    if unknown:
        raise ModelError(f"{files.model} asks for {', '.join(sorted(unknown))}; expected {', '.join(_INPUTS)} at most")
    return session
