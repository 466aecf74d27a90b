// Type-checks every TypeScript block of the documents against the built packages, and looks
// up every link between documents. Shell blocks of the README are run by test/readme.test.ts.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const FOLDER = "packages/server/.doc-blocks";
const BLOCK = /^```ts\n(.*?)^```$/gms;
const LINK = /\]\((?!https?:|#|mailto:)([^)#\s]+)/g;

const documents = [
  "README.md",
  "CONTRIBUTING.md",
  ...globSync(["docs/**/*.md", "packages/*/README.md", "examples/*/README.md"]),
];
const problems: string[] = [];

rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });
let blocks = 0;
for (const document of documents) {
  const text = readFileSync(document, "utf8");
  for (const [, code] of text.matchAll(BLOCK)) {
    const name = `${document.replace(/[^a-z]+/gi, "-").toLowerCase()}-${blocks++}.ts`;
    writeFileSync(join(FOLDER, name), `// from ${document}\n${code}\nexport {};\n`);
  }
  for (const [, target] of text.matchAll(LINK)) {
    if (!existsSync(join(dirname(document), target as string)))
      problems.push(`${document}: no such file: ${target}`);
  }
}
writeFileSync(
  join(FOLDER, "tsconfig.json"),
  JSON.stringify({
    extends: "../../../tsconfig.base.json",
    compilerOptions: {
      types: ["node"],
      lib: ["es2024", "esnext.disposable", "esnext.array", "dom"],
      isolatedDeclarations: false,
      declaration: false,
      noUnusedLocals: false,
    },
    include: ["*.ts"],
  }),
);
if (spawnSync("tsc", ["--project", FOLDER], { stdio: "inherit" }).status !== 0)
  problems.push("a code block does not type-check");
rmSync(FOLDER, { recursive: true });

if (blocks === 0) problems.push("no code block was found");
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
} else {
  console.log(`${blocks} code blocks type-check, and every link between documents leads somewhere`);
}
