"""The Dockerfile by hand: its stages run one after another in a fresh folder that stands for `/`."""

import os
import re
import shlex
import shutil
import subprocess
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "Dockerfile"
USER = 10001
# Absolute paths of the image that our stages write to; any other path is the base image's own.
_OWN_PATHS = re.compile(r"(?<![\w.$}/])/(?=build|opt|var/lib/flagrank)")


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word in capitals, and the rest with lines joined."""

    word: str
    rest: str


@dataclass
class Stage:
    """What stands between one FROM and the next."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)


def read_stages(dockerfile: Path = DOCKERFILE) -> list[Stage]:
    """The stages in order, their base images with the ARGs before the first FROM filled in."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        word, rest = line.split(maxsplit=1)
        if word == "ARG":
            assert not stages, "an ARG within a stage is not understood here"
            name, value = rest.split("=")
            arguments[name] = value
        elif word == "FROM":
            image, _, name = rest.split()
            stages.append(Stage(_fill(image, arguments), name))
        else:
            stages[-1].instructions.append(Instruction(word, re.sub(r"\s+", " ", rest)))
    return stages


@dataclass
class Image:
    """What the last stage leaves: a folder for `/`, the environment, and how it starts."""

    root: Path
    environment: dict[str, str]
    folder: Path
    user: str
    entry_point: list[str]

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """Run the entry point as the image's user; the file system is read-only but for a small /tmp."""
        scratch = self.root / "scratch"
        scratch.mkdir(exist_ok=True)
        whole = {**self.environment, "TMPDIR": str(scratch), **environment}
        command = confine([*self.entry_point, *arguments], scratch)
        with log.open("ab") as output:
            return subprocess.Popen(command, cwd=self.folder, env=whole, stdout=output, stderr=output)


def build_image(root: Path) -> Image:
    """Run every COPY and RUN of every stage under `root`; a command that fails raises."""
    workshop = _Workshop(root)
    for stage in read_stages():
        workshop.run(stage)
    return workshop.finish()


def confine(command: Sequence[str], scratch: Path) -> list[str]:
    """A command as root runs it to become the image's user, who may read this machine and write nothing.

    Reading needs a right of its own, for the interpreter may lie in the home of whoever runs the tests.
    """
    if os.geteuid() != 0:
        pytest.fail("These tests change user and mount: run them as root.", pytrace=False)
    rights = "-all,+dac_read_search"
    become = (
        f"setpriv --reuid={USER} --regid={USER} --clear-groups --inh-caps={rights} --ambient-caps={rights}"
    )
    script = (
        "mount --make-rprivate / && mount -o remount,bind,ro / && "
        f"mount -t tmpfs -o size=256m,mode=1777 tmpfs {shlex.quote(str(scratch))} && "
        f"exec {become} --no-new-privs {shlex.join(command)}"
    )
    return ["unshare", "--mount", "sh", "-c", script]


class _Workshop:
    """The state between instructions."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._environment: dict[str, str] = {}
        self._folder = root
        self._user = "root"
        self._words: dict[str, list[str]] = {}

    def run(self, stage: Stage) -> None:
        self._folder = self._root
        interpreter = self._root / f"python-{stage.name}"  # stands for the one that the base image brings
        venv.create(interpreter, with_pip=True)
        self._environment = {"PATH": f"{interpreter}/bin:{os.environ['PATH']}", "HOME": str(self._root)}
        self._environment |= {key: os.environ[key] for key in os.environ if key.startswith(("PIP_", "SSL_"))}
        for instruction in stage.instructions:
            self._follow(instruction)
        if (workplace := self._root / "build").exists():  # the next stage begins without it
            workplace.rename(self._root / stage.name)

    def finish(self) -> Image:
        entry_point = self._words["ENTRYPOINT"]
        program = shutil.which(entry_point[0], path=self._environment["PATH"])
        assert program is not None
        return Image(self._root, self._environment, self._folder, self._user, [program, *entry_point[1:]])

    def _follow(self, instruction: Instruction) -> None:
        match instruction.word:
            case "WORKDIR":
                self._folder = Path(self._localize(instruction.rest))
                self._folder.mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(shlex.split(instruction.rest))
            case "RUN":
                command = self._localize(instruction.rest)
                subprocess.run(["sh", "-ec", command], cwd=self._folder, env=self._environment, check=True)
            case "ENV":
                for pair in shlex.split(instruction.rest):
                    name, value = pair.split("=", 1)
                    self._environment[name] = self._localize(_fill(value, self._environment))
            case "USER":
                self._user = instruction.rest
            case "ENTRYPOINT" | "CMD":
                self._words[instruction.word] = read_words(instruction.rest)
            case "EXPOSE":
                pass
            case unknown:
                pytest.fail(f"{unknown} is not understood here: add it, so that the test runs it")

    def _copy(self, words: list[str]) -> None:
        source = str(ROOT)
        if words[0].startswith("--from="):
            # Stages share all but /build here, for scripts in /opt hold their own path.
            source = ""
            stage = words.pop(0).removeprefix("--from=")
            words[:-1] = [re.sub("^/build/", f"{self._root}/{stage}/", word) for word in words[:-1]]
        target = self._folder / self._localize(words[-1])
        for word in words[:-1]:
            path = Path(source, self._localize(word))
            if path.is_dir():
                if path != target:
                    shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
                continue
            into = target / path.name if words[-1].endswith("/") else target
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, into)

    def _localize(self, text: str) -> str:
        return _OWN_PATHS.sub(f"{self._root}/", text)


def read_words(text: str) -> list[str]:
    """The words of an ENTRYPOINT or CMD in its JSON form, the only one that passes signals on."""
    words = re.fullmatch(r"\[(.*)\]", text)
    assert words, f"{text} is not in the JSON form"
    return re.findall(r'"([^"]*)"', words[1])


def _fill(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], text)
