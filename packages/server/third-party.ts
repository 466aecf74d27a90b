// Writes the licences of all packages whose code lies in the program beside it, as they ask for.
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PROGRAM = "dist/program";
const METAFILE = join(PROGRAM, "metafile-esm.json");

const { inputs } = JSON.parse(readFileSync(METAFILE, "utf8")) as { inputs: Record<string, unknown> };
const folders = new Set(
  Object.keys(inputs).flatMap((file) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []),
);
const notices = [...folders].map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const files = globSync("{LICEN[CS]E,COPYING,NOTICE,licen[cs]e}*", { cwd: folder }).sort();
  if (license === undefined && files.length === 0) throw new Error(`${name} says nothing of its licence`);
  const texts = files.map((file) => readFileSync(join(folder, file), "utf8").trim());
  return `${name} ${version} (${license})\n\n${texts.join("\n\n")}`;
});
if (notices.length === 0) throw new Error("the program has no code of others?");

writeFileSync(
  join(PROGRAM, "THIRD-PARTY-LICENSES.txt"),
  `The command has code of these packages in it.\n\n${notices.sort().join(`\n\n${"-".repeat(72)}\n\n`)}\n`,
);
rmSync(METAFILE);
