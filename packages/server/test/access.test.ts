import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import {
  createToken,
  KnownTokens,
  OidcAuthenticator,
  readOidcRules,
  type Scope,
  TokenAuthenticator,
  TokenFile,
} from "@tvix/server";
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { doorsOf, everyDoor } from "./each-protocol.ts";
import { wholeServer } from "./whole-server.ts";

const SILENT = pino({ enabled: false });

async function tokenFile() {
  const file = new TokenFile(join(await temporaryDirectory(), "tokens.json"));
  const create = async (scope: Scope, more: { prefix?: string; expires?: Date } = {}) => {
    const { text, record } = createToken({
      name: "test",
      scope,
      prefix: undefined,
      expires: undefined,
      ...more,
    });
    await file.change((records) => [...records, record]);
    return { text, id: record.id };
  };
  return { file, create };
}

function authenticatorOf(file: TokenFile) {
  return new TokenAuthenticator(
    new KnownTokens(file, (error) => {
      throw error;
    }),
  );
}

describe("tokens", () => {
  test("without one, anybody may add until there is a token; then it takes one that may", async () => {
    const { file, create } = await tokenFile();
    const { url } = await wholeServer({ access: { authenticators: [authenticatorOf(file)] } });
    expect(await everyDoor(doorsOf(url), (door) => door.write())).toBe("ok");
    const [read, write, admin] = [await create("read"), await create("write"), await create("admin")];
    await expect
      .poll(() => everyDoor(doorsOf(url), (door) => door.write()), { timeout: 5000 })
      .toBe("unauthenticated");
    expect(await everyDoor(doorsOf(url), (door) => door.read())).toBe("ok");
    expect(await everyDoor(doorsOf(url, read.text), (door) => door.write())).toBe("denied");
    for (const { text } of [read, write, admin]) {
      expect(await everyDoor(doorsOf(url, text), (door) => door.read())).toBe("ok");
    }
    for (const { text } of [write, admin]) {
      expect(await everyDoor(doorsOf(url, text), (door) => door.write())).toBe("ok");
    }
  });

  test("where reads are closed nothing is read without one, and health is told", async () => {
    const { file, create } = await tokenFile();
    const open = { reads: false, writes: false };
    const { url } = await wholeServer({ access: { authenticators: [authenticatorOf(file)], open } });
    const { text } = await create("read");
    expect(await everyDoor(doorsOf(url), (door) => door.read())).toBe("unauthenticated");
    await expect
      .poll(() => everyDoor(doorsOf(url, text), (door) => door.read()), { timeout: 5000 })
      .toBe("ok");
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  test("one that is unknown, tampered with, expired or revoked is refused, also where none is needed", async () => {
    const { file, create } = await tokenFile();
    const write = await create("write");
    const expired = await create("write", { expires: new Date(Date.now() - 1000) });
    const { url } = await wholeServer({ access: { authenticators: [authenticatorOf(file)] } });
    const swapped = write.text.endsWith("A") ? "B" : "A";
    for (const text of [
      "nonsense",
      `${write.text.slice(0, -1)}${swapped}`,
      write.text.slice(0, -1),
      expired.text,
    ]) {
      for (const ask of ["read", "write"] as const) {
        expect(await everyDoor(doorsOf(url, text), (door) => door[ask]())).toBe("unauthenticated");
      }
    }
    expect(await everyDoor(doorsOf(url, write.text), (door) => door.write())).toBe("ok");
    await file.change((records) => records.filter(({ id }) => id !== write.id));
    await expect
      .poll(() => everyDoor(doorsOf(url, write.text), (door) => door.write()), { timeout: 5000 })
      .toBe("unauthenticated");
  });

  test("are kept as hashes, in a file for its owner alone", async () => {
    const { file, create } = await tokenFile();
    const { text } = await create("write", { prefix: "hello" });
    const { readFile, stat } = await import("node:fs/promises");
    expect(await readFile(file.path, "utf8")).not.toContain(text.slice(18));
    expect((await stat(file.path)).mode & 0o777).toBe(0o600);
    for (const [content, what] of [
      ["{", "not JSON"],
      ["{}", "version"],
      ['{"version":1,"tokens":[{}]}', "token 0"],
    ] as const) {
      await writeFile(file.path, content);
      expect(() => file.read()).toThrow(what);
    }
  });
});

/** An issuer of identity tokens, as a CI system is one. */
async function issuer() {
  const { publicKey, privateKey } = await generateKeyPair("RS256");
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "RS256", use: "sig" }] };
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    const isKeys = request.url === "/keys";
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(isKeys ? keys : { issuer: url, jwks_uri: `${url}/keys` }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sign = async (
    claims: Record<string, unknown>,
    changed: { audience?: string; issuer?: string; end?: string } = {},
  ) =>
    await new SignJWT({ sub: "repo:nix/hello:ref:main", ...claims })
      .setProtectedHeader({ alg: "RS256", kid: "one" })
      .setIssuer(changed.issuer ?? url)
      .setAudience(changed.audience ?? "tvix")
      .setIssuedAt()
      .setExpirationTime(changed.end ?? "5m")
      .sign(privateKey);
  return { url, sign, keys, asked: () => asked };
}

describe("identity tokens", () => {
  async function serverFor(url: string) {
    const path = join(await temporaryDirectory(), "rules.toml");
    await writeFile(
      path,
      `[[rule]]\nissuer = "${url}"\naudience = "tvix"\nscope = "write"\nclaims = { repository = "nix/*", ref = "main" }\n`,
    );
    const authenticators = [new OidcAuthenticator(readOidcRules(path), SILENT)];
    return await wholeServer({ access: { authenticators } });
  }

  test("that a rule is for may do what it says; keys are asked for once", async () => {
    const { url: at, sign, asked } = await issuer();
    const { url } = await serverFor(at);
    const token = await sign({ repository: "nix/hello", ref: "main" });
    expect(await everyDoor(doorsOf(url, token), (door) => door.write())).toBe("ok");
    expect(await everyDoor(doorsOf(url), (door) => door.write())).toBe("unauthenticated");
    expect(asked()).toBe(2);
  });

  test("that no rule is for, or that are not valid, are refused at every door", async () => {
    const { url: at, sign } = await issuer();
    const other = await issuer();
    const { url } = await serverFor(at);
    const right = { repository: "nix/hello", ref: "main" };
    const good = await sign(right);
    const unsecured = new UnsecuredJWT(right)
      .setIssuer(at)
      .setAudience("tvix")
      .setIssuedAt()
      .setExpirationTime("5m");
    const [head, , signature] = good.split(".");
    const claims = Buffer.from(JSON.stringify({ ...right, iss: at, aud: "tvix", exp: 4e9 })).toString(
      "base64url",
    );
    const unsigned = (payload: unknown) =>
      `${head}.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.${signature}`;
    const refused: Record<string, [string, string]> = {
      "another repository": [await sign({ ...right, repository: "evil/hello" }), "denied"],
      "a claim that is missing": [await sign({ repository: "nix/hello" }), "denied"],
      "another audience": [await sign(right, { audience: "elsewhere" }), "unauthenticated"],
      expired: [await sign(right, { end: "-5m" }), "unauthenticated"],
      "alg none": [unsecured.encode(), "unauthenticated"],
      "changed claims": [`${head}.${claims}.${signature}`, "unauthenticated"],
      "an issuer that is no text": [unsigned({ iss: 5 }), "unauthenticated"],
      "an issuer that is a table": [unsigned({ iss: { toString: 1 } }), "unauthenticated"],
      "another issuer": [await other.sign(right), "unauthenticated"],
      "another's signature": [await other.sign(right, { issuer: at }), "unauthenticated"],
    };
    for (const [what, [token, outcome]] of Object.entries(refused)) {
      expect([what, await everyDoor(doorsOf(url, token), (door) => door.write())]).toEqual([what, outcome]);
    }
  });

  test.each([
    ["", "there is no [[rule]]"],
    ["[[rule]]\nissuer = 1", "issuer"],
    ['[[rule]]\nissuer = "http://elsewhere"', "https://"],
    ['[[rule]]\nissuer = "https://a"\naudience = "x"\nscope = "root"', "scope"],
    ['[[rule]]\nissuer = "https://a"\naudience = "x"\nscope = "read"\nclaim = 1', '"claim"'],
    ["[[rule]]\nissuer = ", ":2:"],
  ])("rules that are none: %j", async (text, what) => {
    const path = join(await temporaryDirectory(), "rules.toml");
    await writeFile(path, text);
    expect(() => readOidcRules(path)).toThrow(what);
  });
});
