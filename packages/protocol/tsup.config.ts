import { defineConfig } from "tsup";
import { library } from "../../tsup.base.ts";

export default defineConfig(
  library({
    batch: "src/batch.ts",
    exchange: "src/exchange.ts",
    lookup: "src/lookup.ts",
    maintenance: "src/maintenance.ts",
    "tvix-castore": "src/tvix-castore.ts",
    "tvix-store": "src/tvix-store.ts",
    "snix-castore": "src/snix-castore.ts",
    "snix-store": "src/snix-store.ts",
  }),
);
