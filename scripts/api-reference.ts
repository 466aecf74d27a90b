// The reference of everything that the packages export, made of its comments, in artifacts/api. With --check nothing is
// written: it fails where something has no comment, or a comment leads nowhere.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Application, type TypeDocOptions } from "typedoc";

/** What has comments of its own: generated code has those of the .proto files. */
const packages = globSync("packages/*/package.json").filter((file) => !file.includes("/protocol/"));

const entryPoints = packages.flatMap((file) => {
  const { exports = {} } = JSON.parse(readFileSync(file, "utf8")) as {
    exports?: Record<string, { types?: string } | string>;
  };
  return Object.values(exports).flatMap((entry) => {
    const types = typeof entry === "string" ? undefined : entry.types;
    const [, name] = /^\.\/dist\/(.+)\.d\.ts$/.exec(types ?? "") ?? [];
    return name === undefined ? [] : [join(dirname(file), "src", `${name}.ts`)];
  });
});
if (entryPoints.length < packages.length) throw new Error(`only ${entryPoints.length} entries were found`);

const options: TypeDocOptions = {
  name: "tvix-store",
  entryPoints,
  tsconfig: "tsconfig.json",
  readme: "README.md",
  out: "artifacts/api",
  githubPages: false,
  disableSources: true,
  excludePrivate: true,
  excludeInternal: true,
  // What the class or interface says that it implements holds for these.
  requiredToBeDocumented: ["Class", "Interface", "Function", "Variable", "TypeAlias", "Enum"],
  validation: { notDocumented: true, invalidLink: true, notExported: false, invalidPath: false },
  treatValidationWarningsAsErrors: true,
  logLevel: "Warn",
  skipErrorChecking: true,
};
const app = await Application.bootstrap(options);
const project = await app.convert();
if (project === undefined) throw new Error("the sources could not be read");
app.validate(project);
if (!process.argv.includes("--check")) await app.generateOutputs(project);
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1;
else console.log(`${entryPoints.length} entries: all that they export is documented`);
