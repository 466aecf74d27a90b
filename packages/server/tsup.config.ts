import { defineConfig } from "tsup";
import { library } from "../../tsup.base.ts";
import { program } from "./tsup.program.ts";

export default defineConfig([library({ index: "src/index.ts" }), program]);
