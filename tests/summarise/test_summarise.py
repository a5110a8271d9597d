"""The exit handler: one line after success, and after a failure what failed, where to look and what to do."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl, local
from markdown_it import MarkdownIt
from markdown_it.token import Token

from polyhead.summarise import step
from polyhead.summarise.component import component

RUN_ID = "5b1f3c1e-8a4f-4e0e-9d5c-0a8f5f2d7c11"
ON_CLUSTER = f"minio://mlpipeline/v2/artifacts/polyhead-training/{RUN_ID}/summarise/77aa/summary"
ON_VERTEX = "gs://bucket/runs/123456/polyhead-training-20260102/summarise_-42/summary"
VERTEX_JOB = "projects/123456/locations/europe-west4/pipelineJobs/polyhead-training-20260102"


@pytest.fixture
def summary(tmp_path: Path) -> Any:
    """Writes a summary with some facts of the run changed, and returns its text."""

    def write(**changed: Any) -> str:
        facts = {"state": "FAILED", "message": None, "code": None, "resource": "run-x", "job_name": "Houses, nightly"}
        out = tmp_path / "summary.md"
        text = step.run(**{**facts, "job_id": RUN_ID, "place": ON_CLUSTER, "out": out, **changed})
        assert out.read_text(encoding="utf-8") == text
        return text

    return write


def tokens(text: str) -> list[Token]:
    """All tokens of a Markdown text, as an independent parser of CommonMark sees them."""
    found = MarkdownIt("commonmark").parse(text)
    return [inner for token in found for inner in (token, *(token.children or []))]


def blocks(text: str) -> list[str]:
    """The blocks of code."""
    return [token.content.rstrip("\n") for token in tokens(text) if token.type == "fence"]


def shown(text: str) -> str:
    """What a reader of the page sees outside the blocks of code."""
    return " ".join(token.content for token in tokens(text) if token.type in ("text", "code_inline"))


@pytest.mark.parametrize("state", ["SUCCEEDED", "COMPLETE", "CACHED"])
def test_success_is_one_line(summary, state):
    """Whatever the platform calls it."""
    assert summary(state=state) == "**Houses, nightly** succeeded.\n"


def test_a_failure_on_a_cluster_says_where_the_logs_and_rejected_rows_are(summary, tmp_path, monkeypatch):
    """The commands carry the pod's namespace and the run's id; the artifacts' folder is the run's."""
    (tmp_path / "namespace").write_text("team-a\n")
    monkeypatch.setattr(step, "_NAMESPACE", tmp_path / "namespace")
    text = summary()
    commands, rejected = blocks(text)
    pods, logs = commands.splitlines()
    selector = f"-n team-a -l pipeline/runid={RUN_ID}"
    assert text.startswith("## Houses, nightly failed\n\nWhich step failed, and its log:\n")
    assert pods.startswith(f"kubectl get pods {selector} --field-selector=status.phase=Failed ")
    assert logs.startswith(f"kubectl logs {selector} -c main ")
    assert rejected == f"minio://mlpipeline/v2/artifacts/polyhead-training/{RUN_ID}/**/rejected.parquet"
    assert "OOMKilled" in shown(text)
    assert "retry this run, which keeps the finished steps" in shown(text)
    assert "The platform says" not in text


def test_a_pod_without_a_service_account_leaves_the_namespace_to_the_reader(summary, tmp_path, monkeypatch):
    """The command says which word to replace."""
    monkeypatch.setattr(step, "_NAMESPACE", tmp_path / "none")
    assert blocks(summary())[0].startswith("kubectl get pods -n NAMESPACE -l ")


def test_a_failure_on_vertex_names_the_run_and_the_platforms_words(summary):
    """A link to the run, the message with its code, and the folder that Vertex calls after the job."""
    message = "The DAG failed because some tasks failed. The failed tasks are: [train]."
    text = summary(resource=VERTEX_JOB, place=ON_VERTEX, message=message, code=9.0)
    words, rejected = blocks(text)
    links = [token.attrs["href"] for token in tokens(text) if token.type == "link_open"]
    assert "The platform says (code 9):" in shown(text)
    assert words == message
    assert rejected == "gs://bucket/runs/123456/polyhead-training-20260102/**/rejected.parquet"
    assert links == [
        "https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/polyhead-training-20260102"
        "?project=123456"
    ]
    assert "kubectl" not in text


@pytest.mark.parametrize(
    ("state", "title"),
    [
        ("CANCELLED", "Houses, nightly was cancelled"),
        ("CANCELED", "Houses, nightly was cancelled"),
        ("RUNNING", "Houses, nightly ended; the platform does not say here how (state RUNNING)"),
        (None, "Houses, nightly ended; the platform does not say here how (state None)"),
    ],
)
def test_other_states_are_not_called_failures(summary, state, title):
    """A platform that lost sight of the run is not taken at its word, and the way to the logs is told all the same."""
    text = summary(state=state)
    assert shown(text.splitlines()[0]) == title
    assert blocks(text)[0].startswith("kubectl get pods")


NASTY = [
    "</code></pre><script>alert(1)</script>",
    "```\n<img src=x onerror=alert(1)>\n```",
    "~~~\n# title\n````\n<b>bold</b>\n`````` \n[a](javascript:alert(1))",
    "\x1b[31mred\x1b[0m and \u202ehidden\x07",
    "line one\r\n    indented | cell <br>\n\n- item",
]


@pytest.mark.parametrize("message", NASTY)
def test_nothing_in_an_error_is_markdown_or_html(summary, message):
    """The message is one block of code with all its visible characters, and the page around it is as without it."""
    text = summary(message=message, code=3)
    words, *rest = blocks(text)
    visible = "".join(re.sub(r"\x1b\[\d*m", "", message).replace("\u202e", "").replace("\x07", "").split())
    assert "".join(words.split()) == visible
    assert rest == blocks(summary())
    assert not [token for token in tokens(text) if token.type in ("html_block", "html_inline", "image", "link_open")]
    assert [token.tag for token in tokens(text) if token.type == "heading_open"] == ["h2"]


@pytest.mark.parametrize("name", ["<b>x</b> & co", "[a](http://b) ![c](d)", "*x* _y_ `z` # ~~w~~", "a\n# b | c", "\\*"])
@pytest.mark.parametrize("state", ["FAILED", "SUCCEEDED"])
def test_nothing_in_a_name_is_markdown_or_html(summary, name, state):
    """A run's name is read as it was given, its line ends aside."""
    first = tokens(summary(job_name=name, state=state).splitlines()[0])
    around = {"heading_open", "heading_close"} if state == "FAILED" else {"paragraph_open", "paragraph_close"}
    bold = set() if state == "FAILED" else {"strong_open", "strong_close"}
    assert {token.type for token in first} - {"inline", "text", "text_special"} == around | bold
    read = "".join(token.content for token in first if token.type in ("text", "text_special"))
    assert read == f"{' '.join(name.split())} {'failed' if state == 'FAILED' else 'succeeded.'}"


def test_a_long_message_is_cut(summary):
    """The page stays short."""
    (words, *_) = blocks(summary(message="x" * 100_000))
    assert words == "x" * 2_000 + " …"


def test_a_place_without_the_runs_folder_is_not_guessed_at(summary):
    """Nothing is said of rejected rows where the artifacts do not lie under the run's id or name."""
    text = summary(place="s3://bucket/elsewhere/summary")
    assert len(blocks(text)) == 1
    assert "rejected" not in text


@dsl.component(base_image="python", packages_to_install=[], install_kfp_package=False)
def work(fail: bool) -> None:
    """Fails when it is told to."""
    if fail:
        raise ValueError("<b>no</b> luck")


@pytest.mark.parametrize(("fail", "title"), [(True, "## {name} failed\n"), (False, "**{name}** succeeded.\n")])
def test_the_local_runner_writes_it_after_success_and_failure(tmp_path, monkeypatch, fail, title):
    """Under KFP's own runner the component gets the body's final status, and its page is below the run's folder."""
    summarise = component("python")

    @dsl.pipeline(name="ends")
    def ends(fail: bool) -> None:
        summary = summarise(job_name=dsl.PIPELINE_JOB_NAME_PLACEHOLDER, job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
        with dsl.ExitHandler(summary, name="steps"):
            work(fail=fail)

    monkeypatch.chdir(tmp_path)
    root = tmp_path / "root"
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), workspace_root=str(tmp_path / "w"))
    refused = pytest.raises(RuntimeError, match="FAILURE") if fail else contextlib.nullcontext()
    with contextlib.redirect_stdout(io.StringIO()), refused:
        ends(fail=fail)
    (page,) = root.glob("ends-*/summarise/summary")
    text = page.read_text(encoding="utf-8")
    folder = page.parents[1]
    assert text.startswith(title.format(name=folder.name.replace("-", r"\-")))
    assert fail == (f"{folder}/**/rejected.parquet" in blocks(text))
    assert "kubectl" not in text
