import { defineConfig } from "tsup";
import { library } from "../../tsup.base.ts";

export default defineConfig(
  library({
    index: "src/index.ts",
    // Chosen by the import map in package.json.
    "ed25519-node": "src/keys/ed25519-node.ts",
    "ed25519-portable": "src/keys/ed25519-portable.ts",
  }),
);
