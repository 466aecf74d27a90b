import { readFileSync } from "node:fs";
import * as tls from "node:tls";

/** @throws Error for a file without a certificate, which would have nobody believed */
export function readAuthorities(file: string): string {
  const text = readFileSync(file, "latin1");
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new Error(`${file} has no certificate in PEM in it`);
}

/** Has `fetch` believe the certificates of a file, and no others, in all of this process. */
export function believeOnly(file: string | undefined): void {
  if (file === undefined) return;
  const authorities = readAuthorities(file);
  // Of Node 22, the first ones have no such function.
  const { setDefaultCACertificates } = tls as Partial<typeof tls>;
  if (setDefaultCACertificates === undefined) {
    throw new Error("--ca-file needs Node.js 22.19 or 24.5 here; NODE_EXTRA_CA_CERTS=FILE does the same");
  }
  setDefaultCACertificates([authorities]);
}
