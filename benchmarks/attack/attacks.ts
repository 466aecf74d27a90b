import type { Attack } from "./attack.ts";
import { CALL_ATTACKS } from "./calls.ts";
import { CONNECTION_ATTACKS } from "./connections.ts";
import { CRUMB_ATTACKS } from "./crumbs.ts";
import { UPLOAD_ATTACKS } from "./uploads.ts";

/** All of them. */
export const ATTACKS: readonly Attack[] = [
  ...CALL_ATTACKS,
  ...CONNECTION_ATTACKS,
  ...CRUMB_ATTACKS,
  ...UPLOAD_ATTACKS,
];
