import { useNativeBlake3 } from "@tvix/blake3-native";
import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { addBackupCommands } from "./backup-commands.ts";
import { addCastoreCommands } from "./castore-commands.ts";
import { addConfig } from "./config-commands.ts";
import { addCopyCommand } from "./copy-command.ts";
import { addDaemonCommand } from "./daemon.ts";
import { addDoctorCommand } from "./doctor/doctor-command.ts";
import { addExamples } from "./examples.ts";
import { describeFailure, hintFor } from "./failure.ts";
import { addImportCommand } from "./import-command.ts";
import { addKeysCommands } from "./keys-commands.ts";
import { addLoginCommands } from "./login-command.ts";
import { addLookCommands } from "./look/add-look-commands.ts";
import { addMaintenanceCommands } from "./maintenance-commands.ts";
import { addMigrateCommand } from "./migrate-command.ts";
import { addNarCommands } from "./nar-commands.ts";
import { endWithReader } from "./output.ts";
import { addPathInfoCommands } from "./path-info-commands.ts";
import { addPushCommand } from "./push-command.ts";
import { refuseOtherBytes } from "./refuse-other-bytes.ts";
import { addRepairCommand } from "./repair-command.ts";
import { refuseRepetition, UsageError } from "./repeatable.ts";
import { addShellCommands } from "./shell-commands.ts";
import { addStatsCommand } from "./stats-command.ts";
import { addTokenCommands } from "./token-commands.ts";
import { addUseCommand } from "./use-command.ts";
import { addVerifyCommand } from "./verify-command.ts";
import { addWatchStoreCommand } from "./watch-store-command.ts";

/** Exit statuses of the command line. */
const FAILURE = 1;
const USAGE = 2;

/**
 * Runs `tvix-store` with the arguments of a process and sets its exit status: 0 for success,
 * 1 for a failure, 2 for wrong usage.
 */
export async function main(argv: readonly string[]): Promise<void> {
  useNativeBlake3();
  const program = new Command("tvix-store")
    .description("a content-addressed store for Nix")
    .version(packageJson.version)
    .showHelpAfterError("(see --help)")
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  addDaemonCommand(program);
  addCastoreCommands(program);
  addImportCommand(program);
  addCopyCommand(program);
  addMigrateCommand(program);
  addPushCommand(program);
  addLookCommands(program);
  addDoctorCommand(program);
  addWatchStoreCommand(program);
  addUseCommand(program);
  addLoginCommands(program);
  addNarCommands(program);
  addPathInfoCommands(program);
  addMaintenanceCommands(program);
  addVerifyCommand(program);
  addRepairCommand(program);
  addBackupCommands(program);
  addStatsCommand(program);
  addKeysCommands(program);
  addTokenCommands(program);
  addConfig(program);
  await addShellCommands(program, argv, packageJson.version);
  addExamples(program);
  refuseRepetition(program);
  endWithReader();
  try {
    refuseOtherBytes(argv);
    await program.parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) {
      // Its text has been printed already; asking for help or the version is no failure.
      process.exitCode = error.exitCode === 0 ? 0 : USAGE;
      return;
    }
    if (error instanceof UsageError) {
      process.stderr.write(`error: ${error.message}\n(see --help)\n`);
      process.exitCode = USAGE;
      return;
    }
    process.stderr.write(`tvix-store: ${describeFailure(error)}\n${hintFor(error)}`);
    process.exitCode = FAILURE;
  }
}
