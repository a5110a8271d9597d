"""Our compiled pipelines hold none of KFP's traps, and the lint that says so finds each of them."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from google.protobuf import json_format
from kfp import dsl, kubernetes
from pipeline_lint import lint

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
COMPILED = [
    ("houses.kfp.yaml", "kfp"),
    ("houses.vertex.yaml", "vertex"),
    ("houses.local.yaml", "local"),
    ("houses.partitions.yaml", "kfp"),
    ("houses.prediction.yaml", "kfp"),
    ("settings.kfp.yaml", "kfp"),
    ("settings.vertex.yaml", "vertex"),
]


def component(**options: Any) -> Callable[..., Any]:
    return dsl.component(**{"base_image": "i", "packages_to_install": [], "install_kfp_package": False, **options})


@component()
def text(n: int = 0) -> str:
    return str(n)


@component()
def texts(given: list) -> list:  # type: ignore[type-arg]  # KFP's word for any list
    return given


@component()
def use(a: str, b: str = "") -> str:
    return a + b


@component()
def make(a: str, made: dsl.Output[dsl.Artifact]) -> None:
    pass


@component()
def take(made: dsl.Input[dsl.Artifact]) -> None:
    pass


@component()
def gather(made: dsl.Input[list[dsl.Artifact]]) -> None:
    pass


@component()
def join(given: list[str]) -> None:
    pass


@component(packages_to_install=["pandas"])
def installing() -> None:
    pass


def documents(pipeline: Any, *, pods: bool = False) -> list[dict[str, Any]]:
    """A pipeline compiled in memory."""
    found = [json_format.MessageToDict(pipeline.pipeline_spec)]
    return [*found, json_format.MessageToDict(pipeline.platform_spec)] if pods else found


@dsl.pipeline
def output_in_a_loop() -> None:
    outside = text()
    with dsl.ParallelFor(["a", "b"]) as item:
        use(a=item, b=outside.output)


@dsl.pipeline
def output_deep_in_a_loop() -> None:
    outside = text()
    with dsl.ParallelFor(["a", "b"]) as item, dsl.ParallelFor(["c"]) as other:
        use(a=item, b=other)
        use(a=item, b=outside.output)


@dsl.pipeline
def one_of_artifacts(n: int = 0) -> None:
    with dsl.If(n > 1):
        left = make(a="x")
    with dsl.Else():
        right = make(a="y")
    take(made=dsl.OneOf(left.outputs["made"], right.outputs["made"]))


@dsl.pipeline
def collected_artifacts() -> None:
    with dsl.ParallelFor(texts(given=["a"]).output) as item:
        made = make(a=item)
    gather(made=dsl.Collected(made.outputs["made"]))


@dsl.pipeline
def collected_parameters(names: list = []) -> None:  # type: ignore[type-arg]  # noqa: B006  # as KFP has it
    with dsl.ParallelFor(names) as item:
        made = use(a=item)
    join(given=dsl.Collected(made.output))


@dsl.pipeline
def text_without_default(name: Optional[str] = None) -> None:  # noqa: UP045  # the one spelling that KFP reads
    use(a="a", b=name)


@dsl.pipeline
def condition_on_a_text(name: str = "it's") -> None:
    with dsl.If(name == "it's"):
        text()


@dsl.pipeline
def numbers_in_a_list() -> None:
    texts(given=["a", 1])


@dsl.pipeline
def numbers_in_a_default(given: list = [1, 2]) -> None:  # type: ignore[type-arg]  # noqa: B006
    texts(given=given)


@dsl.pipeline
def numbers_in_a_loop() -> None:
    with dsl.ParallelFor([{"part": 1}]) as item:
        text(n=item.part)


@dsl.pipeline
def image_from_a_parameter(image: str = "i") -> None:
    text().set_container_image(image)


@dsl.pipeline
def memory_from_a_parameter(memory: str = "1Gi") -> None:
    text().set_memory_limit(memory)


@dsl.pipeline
def packages() -> None:
    installing()


@dsl.pipeline
def secret_variable() -> None:
    text().set_env_variable("TRACKER_API_KEY", "0123456789")


@dsl.pipeline
def secret_in_an_address() -> None:
    use(a="https://user:0123456789@example.org/")


@dsl.pipeline
def long_argument(config: str = "x" * 100_000) -> None:
    use(a=config)


@dsl.pipeline
def inner_without_parameters(made: dsl.Input[dsl.Artifact]) -> None:
    take(made=made)


@dsl.pipeline
def nested() -> None:
    inner_without_parameters(made=make(a="a").outputs["made"])


OUTSIDE = "the output parameter 'pipelinechannel--text-Output' of a task outside is used in the loop"
TRAPS: list[tuple[Any, list[str]]] = [
    (output_in_a_loop, [f"root/for-loop-2: {OUTSIDE}"]),
    (output_deep_in_a_loop, [f"root/for-loop-2: {OUTSIDE}", f"root/for-loop-2/for-loop-4: {OUTSIDE}"]),
    (
        one_of_artifacts,
        [
            "root/condition-branches-1: the artifact 'pipelinechannel--condition-branches-1-oneof-1' is one of several",
        ],
    ),
    (collected_artifacts, ["root/gather: 'made' collects a loop that can be empty"]),
    (collected_parameters, ["root/join: 'given' collects a loop that can be empty"]),
    (text_without_default, ["root: the optional text 'name' has no default"]),
    (condition_on_a_text, ["root/condition-1: a condition on a text"]),
    (numbers_in_a_list, ["root/texts: numbers inside the list or mapping 'given'"]),
    (numbers_in_a_default, ["root: numbers inside the list or mapping 'given'"]),
    (numbers_in_a_loop, ["root/for-loop-2: numbers inside the list that it goes through"]),
    (image_from_a_parameter, ["exec-text: the image is a parameter"]),
    (memory_from_a_parameter, ["exec-text: resources come from a parameter, which older clusters cannot read"]),
    (packages, ["exec-installing: packages are installed when the task runs"]),
    (secret_variable, ["exec-text: the variable 'TRACKER_API_KEY' is a secret in plain text"]),
    (
        secret_in_an_address,
        ["root.dag.tasks.use.inputs.parameters.a.runtimeValue.constant: a secret in plain text"],
    ),
    (long_argument, ["root: 'config' is longer than an argument of a command"]),
    (nested, ["root/inner-without-parameters: a nested pipeline with artifacts and no parameter"]),
]


@pytest.mark.parametrize(("pipeline", "expected"), TRAPS, ids=[pipeline.name for pipeline, _ in TRAPS])
def test_a_trap_is_found_and_named(pipeline, expected):
    """Each bad pipeline compiles without a word from KFP, and has exactly its own trap."""
    assert lint(documents(pipeline), platform="local") == expected


@pytest.mark.parametrize(("name", "platform"), COMPILED, ids=[name for name, _ in COMPILED])
def test_our_pipelines_hold_no_trap(name, platform):
    """For every platform, with several workers and with every setting. A plan has at least one partition."""
    found = list(yaml.safe_load_all((GOLDEN / name).read_text(encoding="utf-8")))
    assert lint(found, platform=platform, never_empty=["validate-plan", "shard-plan", "predict-plan"]) == []


@dsl.pipeline
def without_traps(names: list = ["a"], n: int = 0) -> None:  # type: ignore[type-arg]  # noqa: B006
    listed = texts(given=names)
    with dsl.ParallelFor(listed.output, parallelism=2) as item:
        made = make(a=item)
    gather(made=dsl.Collected(made.outputs["made"]))
    with dsl.ParallelFor(["a", "b"]) as item:
        used = use(a=item)
    join(given=dsl.Collected(used.output))
    with dsl.If(n > 1):
        text(n=n)


def test_what_works_is_no_trap():
    """Loops over a task's own output that is known to hold something, over a fixed list, and numbers by themselves."""
    assert lint(documents(without_traps), platform="local", never_empty=["texts"]) == []


def test_a_loop_in_a_condition_may_be_collected_there():
    """Whoever asks first whether there is anything knows that the loop is not empty."""

    @dsl.pipeline
    def guarded(names: list = [], n: int = 0) -> None:  # type: ignore[type-arg]  # noqa: B006
        with dsl.If(n > 0):
            with dsl.ParallelFor(names) as item:
                made = use(a=item)
            join(given=dsl.Collected(made.output))

    assert lint(documents(guarded), platform="local") == []


def test_on_a_cluster_every_container_has_limits():
    """A pod without limits may take a node's memory from its neighbours."""
    assert lint(documents(numbers_in_a_list), platform="vertex")[1:] == [
        "exec-texts: no limits of processors and memory"
    ]


def test_a_pod_that_may_be_root_is_found():
    """Neither a missing security context nor half of one will do."""

    @dsl.pipeline
    def pods() -> None:
        for task in (text(), use(a="a")):
            task.set_cpu_limit("1").set_memory_limit("1Gi")
        kubernetes.set_security_context(task, run_as_non_root=True)
        safe = make(a="a").set_cpu_limit("1").set_memory_limit("1Gi")
        kubernetes.set_security_context(safe, run_as_user=1000, run_as_non_root=True)

    assert lint(documents(pods, pods=True), platform="kfp") == [
        "exec-text: may run as root",
        "exec-use: may run as root",
    ]


def test_vertex_gets_one_document_and_its_own_names():
    """Vertex AI refuses a second document, and knows no `nvidia.com/gpu`."""
    found = list(yaml.safe_load_all((GOLDEN / "settings.kfp.yaml").read_text(encoding="utf-8")))
    assert lint(found, platform="vertex") == [
        "2 documents for vertex",
        "exec-train: the accelerator is named as on Kubernetes",
    ]
    single = copy.deepcopy(found[:1])
    assert "1 documents for kfp" in lint(single, platform="kfp")
