// Writes the licences of all packages whose code lies in the program beside it, as they ask for.
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const PROGRAM = "dist/program";
const METAFILE = join(PROGRAM, "metafile-esm.json");

/** A package that has the text of the Apache License in it. */
const APACHE = join(
  dirname(createRequire(import.meta.url).resolve("typescript/package.json")),
  "LICENSE.txt",
);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly author?: string | { readonly name: string };
}

/** The texts that a package comes with; for those that only name their licence, its usual one. */
function licenceOf(folder: string, { name, license = "", author }: Manifest): string {
  const files = globSync("{LICEN[CS]E,COPYING,NOTICE,licen[cs]e}*", { cwd: folder }).sort();
  if (files.length > 0)
    return files.map((file) => readFileSync(join(folder, file), "utf8").trim()).join("\n\n");
  const holder = typeof author === "string" ? author : (author?.name ?? `the authors of ${name}`);
  const texts: Readonly<Record<string, () => string>> = {
    "Apache-2.0": () => readFileSync(APACHE, "utf8").trim(),
    MIT: () =>
      readFileSync("LICENSE", "utf8")
        .replace(/^Copyright .*$/m, `Copyright (c) ${holder}`)
        .trim(),
    "BSD-3-Clause": () => BSD_3_CLAUSE.replace("HOLDER", holder),
  };
  const parts = license.replace(/[()]/g, "").split(" AND ");
  return parts
    .map((part) => {
      const text = texts[part];
      if (text === undefined) throw new Error(`${name} has no text of its licence (${part})`);
      return text();
    })
    .join("\n\n");
}

const BSD_3_CLAUSE = `Copyright HOLDER

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following
disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
disclaimer in the documentation and/or other materials provided with the distribution.

3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or promote
products derived from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES,
INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES;
LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN
CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS
SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.`;

const { inputs } = JSON.parse(readFileSync(METAFILE, "utf8")) as { inputs: Record<string, unknown> };
const folders = new Set(
  Object.keys(inputs).flatMap((file) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []),
);
const notices = [...folders].map((folder) => {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  const { name, version, license } = manifest;
  return `${name} ${version} (${license})\n\n${licenceOf(folder, manifest)}`;
});
if (notices.length === 0) throw new Error("the program has no code of others?");

writeFileSync(
  join(PROGRAM, "THIRD-PARTY-LICENSES.txt"),
  `The command has code of these packages in it.\n\n${notices.sort().join(`\n\n${"-".repeat(72)}\n\n`)}\n`,
);
rmSync(METAFILE);
