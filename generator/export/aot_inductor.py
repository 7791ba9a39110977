"""Compile a module for CPUs with AOTInductor: one file that runs without its Python."""

import os
import platform
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from generator.diagnostics import CannotRun
from generator.document import Pointer
from generator.export.exported_program import TORCHSCRIPT, exported, quiet
from generator.export.refusal import Refusal, first_line
from generator.project import Project
from generator.resources import threads_per_instance

AT: Pointer = ("export", "format")
# Without these torch compiles for the very CPU that it runs on: AMX and AVX-512 of a build machine
# are an illegal instruction on the nodes of many clusters. Every x86-64 since 2013 has AVX2.
ARCHITECTURES = {"x86_64": ("x86-64-v3", 256)}


def export_aot_inductor(project: Project, module: torch.nn.Module, path: Path) -> None:
    """Write the module as machine code that calls torch; takes 15 to 60 seconds.

    The same torch, compiler and architecture write the same bytes each time. Raises Refusal where
    the module cannot be compiled, CannotRun where there is no compiler for it.
    """
    _check_compiler()
    program = exported(project, module)
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, path.name)
        if error := _compile(program, package, threads_per_instance(project.hardware)):
            _tell(error)
        _rewrite(package, path, folder)


def _compile(
    program: torch.export.ExportedProgram, package: Path, threads: int
) -> Exception | None:
    """Write a package, with all that is made on the way beside it; returns why it cannot be."""
    from torch._inductor.utils import fresh_cache  # a second to import

    # An exception that passes it would be told twice.
    with fresh_cache(dir=str(package.parent)), quiet(), torch.no_grad():
        settings = _settings(threads, os.environ["TORCHINDUCTOR_CACHE_DIR"])
        try:
            torch._inductor.aoti_compile_and_package(
                program, package_path=str(package), inductor_configs=settings
            )
        except Exception as error:  # as many kinds as there are passes
            return error
    return None


def _check_compiler() -> None:
    compiler = os.environ.get("CXX", "g++")  # as torch chooses it
    if not shutil.which(compiler):
        message = f"export.format: aot_inductor needs the C++ compiler {compiler}"
        raise CannotRun(f"{message}: apt-get install g++")
    if not hasattr(torch._inductor.config.cpp, "march"):
        message = f"export.format: aot_inductor cannot choose a CPU with torch {torch.__version__}"
        raise CannotRun(f"{message}: pip install torch==2.13.0")


def _settings(threads: int, cache: str) -> dict[str, object]:
    """What torch compiles for; the build's own paths are kept out of the code."""
    includes = str(Path(torch.__file__).parent / "include")
    renamed = (f"{cache}=", f"{includes}=torch")
    # The only setting that reaches all calls of the compiler; torch splits it as a shell does.
    options = " ".join(shlex.quote(f"-ffile-prefix-map={each}") for each in renamed)
    march, bits = ARCHITECTURES.get(platform.machine(), ("native", None))
    return {
        "aot_inductor.enable_line_tables": False,
        "aot_inductor.model_name_for_generated_files": "model",
        "aot_inductor.precompile_headers": False,  # they would stay in the user's temporary folder
        "compile_threads": 1,  # else processes wait for work after the export
        "cpp.dynamic_threads": True,  # OMP_NUM_THREADS holds when it runs
        "cpp.march": f"{march} {options}",
        "cpp.simdlen": bits,
        "cpp.threads": threads,
    }


def _tell(error: Exception) -> None:
    """Raise what an exception means: the compiler's own trouble, or the module's."""
    for each in _chain(error):
        if isinstance(each, torch._inductor.exc.CppCompileError):
            lines = [line for line in str(each).splitlines() if "error:" in line]
            said = lines[0] if lines else first_line(each)
            raise CannotRun(f"the C++ compiler cannot compile the program: {said}") from error
    message = f"the module cannot be compiled: {first_line(error)}"
    raise Refusal(AT, message, f"{TORCHSCRIPT} or onnx") from error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _rewrite(package: Path, path: Path, folder: str) -> None:
    """Copy a package without the lines that tell where and with which commands it was made.

    They are comments in sources, which stay because loaders find the metadata by their names.
    The record that is left out is a hash of the others, which torch's writer adds anew.
    """
    reader = torch._C.PyTorchFileReader(str(package))
    writer = torch._C.PyTorchFileWriter(str(path))
    for name in reader.get_all_records():
        if name == ".data/serialization_id":
            continue
        content = reader.get_record(name)
        if name.endswith(".cpp"):
            lines = content.splitlines(keepends=True)
            content = b"".join(line for line in lines if folder.encode() not in line)
        writer.write_record(name, content, len(content))
    writer.write_end_of_file()
