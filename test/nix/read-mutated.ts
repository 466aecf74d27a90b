// Reads so many mutated NARs, and prints by how many bytes the process has grown meanwhile.
import { readNar } from "@tvix/nar";
import { mutatedNar, seededRandom } from "./mutations.ts";

const random = seededRandom(3);
const before = process.resourceUsage().maxRSS;
for (let left = Number(process.argv[2]); left > 0; left--) {
  try {
    for await (const _ of readNar(await mutatedNar(random)));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "NarError") throw error;
  }
}
console.log((process.resourceUsage().maxRSS - before) * 1024 || 1);
