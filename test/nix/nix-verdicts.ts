import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

/**
 * Reads names of files, unpacks each, answers with Nix's exit status. The old Nix takes as much
 * memory as a NAR claims to need, and refuses it only then; so it gets little (in KiB).
 */
const LOOP = `ulimit -v 600000
while read -r nar; do
  nix-store --restore "$nar.out" < "$nar" 2> /dev/null
  echo $?
  chmod -R u+w "$nar.out" 2> /dev/null; rm -rf "$nar.out" "$nar"
done`;

/** A process that tells of one NAR after another whether real Nix unpacks it. */
export class NixVerdicts {
  readonly #folder: string;
  readonly #shell = spawn("sh", ["-c", LOOP], { stdio: ["pipe", "pipe", "inherit"] });
  readonly #answers: AsyncIterator<string>;
  #count = 0;

  /** @param folder for files of this process only */
  constructor(folder: string) {
    this.#folder = folder;
    this.#answers = createInterface({ input: this.#shell.stdout })[Symbol.asyncIterator]();
  }

  async accepts(nar: Uint8Array): Promise<boolean> {
    const path = join(this.#folder, `${this.#count++}.nar`);
    await writeFile(path, nar);
    this.#shell.stdin.write(`${path}\n`);
    const answer = await this.#answers.next();
    if (answer.done === true) throw new Error("the shell that runs Nix has ended");
    return answer.value === "0";
  }

  end(): void {
    this.#shell.stdin.end();
  }
}
