"""Runs a real keeper with the scripted trainer: ``keep.py SAVE_DIR SCRIPT RULES_JSON PATIENCE_JSON``."""

import json
import sys
from pathlib import Path

from configs.errors import RealmError
from configs.paths import SaveFolder
from configs.schema import EngineRules
from engine.keeper.keeper import Keeper, Patience


def main() -> int:
    folder, script = SaveFolder(Path(sys.argv[1])), sys.argv[2]
    trainer = Path(__file__).with_name("fake_trainer.py")

    def command(fd: int) -> list[str]:
        options = ["--save-dir", str(folder.root), "--control-fd", str(fd), "--script", script]
        return [sys.executable, "-P", str(trainer), *options]

    rules = EngineRules.model_validate(json.loads(sys.argv[3]))
    patience = Patience(**{"restart_s": 0.01, **json.loads(sys.argv[4])})
    try:
        return Keeper(folder, rules, command, log_bytes=4000, patience=patience).run()
    except RealmError as error:
        sys.stderr.write(f"{error.code}: {error.text()}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
