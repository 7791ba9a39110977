"""What predict.py says of one project."""

from msgspec import Struct

from generator.project import Project
from generator.transforms.code import answer_of
from generator.transforms.component import gives
from generator.transforms.embedded import as_called, remaining
from generator.transforms.layout import comprehension
from generator.transforms.operations import Decode, Threshold, read_postprocess, read_preprocess
from generator.transforms.postprocessing import Answer


class PredictCode(Struct, frozen=True):
    """What templates/predictor/predict.py.j2 says of one project.

    `limit` is the least that a class needs to be told, `most` how many are at most.
    """

    project: str
    gives: str
    program: str
    mode: str
    channels: int
    answer: Answer
    limit: float | None
    most: int | None

    @property
    def picks(self) -> bool:
        """Whether classes are picked from the output; else it is printed as it is."""
        return self.answer.kind == "entries"

    @property
    def summary(self) -> str:
        """What the function that picks classes does."""
        least = "" if self.limit is None else f" of at least {self.limit:g}"
        if self.most == 1:
            return f"Name the best class{least}."
        best = "" if self.most is None else f"{self.most} best "
        return f"Name the {best}classes{least}, best first."

    @property
    def returned(self) -> tuple[str, ...]:
        """The lines that return the entries of the classes that are kept."""
        label = "program.class_names[index]" if self.names_classes else "index"
        entry = f'{{"{self.answer.label}": {label}, "{self.answer.value}": scores[index]}}'
        cut = "" if self.most is None else f"[:{self.most}]"
        return comprehension("return ", entry, f"for index in best_first{cut}")

    @property
    def shown(self) -> str:
        """What stands behind the name of an image, in an f-string."""
        return "{told(answer)}" if self.picks else "{answer}"

    @property
    def label_type(self) -> str:
        """The type of what tells a class."""
        return "str" if self.names_classes else "int"

    @property
    def names_classes(self) -> bool:
        """Whether classes are told by the names in the program, else by their index."""
        return self.picks and self.answer.label == "class_name"


def predict_code(project: Project, program: str) -> PredictCode:
    """Plan predict.py of a project that every rule has passed; `program` is its file's name."""
    decode = read_preprocess(project.transforms.preprocess[0])
    assert isinstance(decode, Decode)  # rule impossible-step
    [image] = as_called(project).model.inputs
    channels = image.shape[0]
    assert isinstance(channels, int)  # a colour mode has as many as it has
    steps = map(read_postprocess, remaining(project.transforms).postprocess)
    limits = [step.limit for step in steps if isinstance(step, Threshold)]
    answer = answer_of(project)
    return PredictCode(
        project=project.name,
        gives=gives(answer),
        program=program,
        mode=decode.mode,
        channels=channels,
        answer=answer,
        limit=limits[0] if limits else None,
        most=_most(project, answer),
    )


def _most(project: Project, answer: Answer) -> int | None:
    """How many classes postprocess keeps; None where only a limit or nothing bounds them."""
    counted = {"argmax", "top_k"} & {step.operation for step in project.transforms.postprocess}
    return answer.at_most if counted else None
