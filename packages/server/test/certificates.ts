import { execFileSync } from "node:child_process";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryDirectory } from "../../../test/temporary.ts";

/** Files in PEM. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Who signs certificates in tests. */
export interface Authority extends Certificate {
  /** Makes a certificate for this machine; its name is in it. */
  issue(name: string): Promise<Certificate>;
}

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: "pipe" });
}

const EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** A new authority, whom nobody believes who is not told to. */
export async function newAuthority(): Promise<Authority> {
  const folder = await temporaryDirectory();
  const certFile = join(folder, "ca.pem");
  const keyFile = join(folder, "ca.key");
  openssl(
    "req",
    "-x509",
    ...EC_KEY,
    "-keyout",
    keyFile,
    "-out",
    certFile,
    "-days",
    "2",
    "-subj",
    "/CN=test authority",
  );
  let issued = 0;
  return {
    certFile,
    keyFile,
    async issue(name) {
      const at = join(folder, `${issued++}`);
      await mkdir(at);
      const [own, key, request, extensions] = ["cert.pem", "key.pem", "request.pem", "extensions"].map(
        (file) => join(at, file),
      ) as [string, string, string, string];
      await writeFile(extensions, "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n");
      openssl("req", ...EC_KEY, "-keyout", key, "-out", request, "-subj", `/CN=${name}`);
      openssl(
        "x509",
        "-req",
        "-in",
        request,
        "-CA",
        certFile,
        "-CAkey",
        keyFile,
        "-CAcreateserial",
        "-out",
        own,
        "-days",
        "2",
        "-extfile",
        extensions,
      );
      return { certFile: own, keyFile: key };
    },
  };
}

/** Puts one certificate in the place of another, as those do who renew them: one file after the other. */
export async function replaceCertificate(old: Certificate, fresh: Certificate): Promise<void> {
  await rename(fresh.certFile, old.certFile);
  await rename(fresh.keyFile, old.keyFile);
}
