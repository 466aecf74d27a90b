import { expect, test } from "vitest";
import { parseNarInfo, toStoreObjectInfo } from "../src/index.ts";

/** What Nix's own tests have as text and as JSON of version 2 (`nar-info/json-2/impure.json`), with its signatures. */
const TEXT = `StorePath: /nix/store/n5wkd9frr45pa74if5gpz9j7mifg27fh-foo
URL: nar/1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3.nar.xz
Compression: xz
FileHash: sha256-FePFYIlMuycIXPZbWi7LGEiMmZSX9FMbaQenWBzm1Sc=
FileSize: 4029176
NarHash: sha256-FePFYIlMuycIXPZbWi7LGEiMmZSX9FMbaQenWBzm1Sc=
NarSize: 34878
References: g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar n5wkd9frr45pa74if5gpz9j7mifg27fh-foo
Deriver: g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv
CA: fixed:r:sha256:1lr187v6dck1rjh2j6svpikcfz53wyl3qrlcbb405zlh13x0khhh
`;

test("a narinfo is the JSON that Nix has for it", () => {
  expect(toStoreObjectInfo(parseNarInfo(TEXT))).toEqual({
    version: 2,
    path: "n5wkd9frr45pa74if5gpz9j7mifg27fh-foo",
    ca: { hash: "sha256-EMIJ+giQ/gLIWoxmPKjno3zHZrxbGymgzGGyZvZBIdM=", method: "nar" },
    compression: "xz",
    deriver: "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv",
    downloadHash: "sha256-FePFYIlMuycIXPZbWi7LGEiMmZSX9FMbaQenWBzm1Sc=",
    downloadSize: 4029176,
    narHash: "sha256-FePFYIlMuycIXPZbWi7LGEiMmZSX9FMbaQenWBzm1Sc=",
    narSize: 34878,
    references: ["g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar", "n5wkd9frr45pa74if5gpz9j7mifg27fh-foo"],
    registrationTime: null,
    signatures: [],
    storeDir: "/nix/store",
    ultimate: false,
    url: "nar/1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3.nar.xz",
  });
});

test("what a narinfo does not tell is null, and the compression that it leaves out is bzip2", () => {
  const text = TEXT.replaceAll(/^(?:Compression|FileHash|FileSize|Deriver|CA|References): .*\n/gm, "");
  const { compression, downloadHash, downloadSize, deriver, ca, references } = toStoreObjectInfo(
    parseNarInfo(text),
  );
  expect([compression, downloadHash, downloadSize, deriver, ca, references]).toEqual([
    "bzip2",
    null,
    null,
    null,
    null,
    [],
  ]);
});
