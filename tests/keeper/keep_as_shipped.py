"""Runs the shipped keeper process with the scripted trainer: ``keep_as_shipped.py SAVE_DIR SCRIPT``."""

import sys
from pathlib import Path

import engine.keeper.main as shipped
from configs.errors import RealmError
from configs.paths import SaveFolder

folder, script = SaveFolder(Path(sys.argv[1])), sys.argv[2]
trainer = Path(__file__).with_name("fake_trainer.py")


def trainer_command(folder: SaveFolder, control_fd: int) -> list[str]:
    options = ["--save-dir", str(folder.root), "--control-fd", str(control_fd), "--script", script]
    return [sys.executable, "-P", str(trainer), *options]


shipped.trainer_command = trainer_command
try:
    sys.exit(shipped.main(folder))
except RealmError as error:
    sys.stderr.write(error.text() + "\n")
    sys.exit(error.exit_code)
