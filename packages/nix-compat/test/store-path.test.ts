import {
  buildContentAddressedPath,
  buildOutputPath,
  type ContentAddressMethod,
  NixHash,
  outputPlaceholder,
  StorePath,
} from "@tvix/nix-compat";
import { describe, expect, test } from "vitest";

const NET_TOOLS = "00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools-1.60_p20170221182432";

describe("StorePath", () => {
  test("has a digest and a name, in both forms", () => {
    for (const path of [
      StorePath.fromBaseName(NET_TOOLS),
      StorePath.fromAbsolute(`/nix/store/${NET_TOOLS}`),
    ]) {
      expect(Buffer.from(path.digest).toString("hex")).toBe("8a12321522fd91efbd60ebb2481af88580f61600");
      expect(path.name).toBe("net-tools-1.60_p20170221182432");
      expect(String(path)).toBe(NET_TOOLS);
      expect(JSON.stringify(path)).toBe(`"/nix/store/${NET_TOOLS}"`);
      expect(StorePath.from(path.digest, path.name).equals(path)).toBe(true);
    }
  });

  test("may begin with a dot", () => {
    expect(StorePath.fromBaseName("fli4bwscgna7lpm7v5xgnjxrxh0yc7ra-.gitignore").name).toBe(".gitignore");
  });

  test.each([
    "00bgd045z0d4icpbc2yy-",
    "00bgd045z0d4icpbc2yy-net-tools-1.60_p20170221182432",
    `00bgd045z0d4icpbc2yy-${"a".repeat(100)}`,
    "00bgd045z0d4icpbc2yyz4gx48aku4la-net-tools-1.60_p20170221182432",
    `${NET_TOOLS}/bin/arp`,
    "00bgd045z0d4icpbc2yyz4gx48ak44lanet-tools-1.60_p20170221182432",
    "00bgd045z0d4icpbc2yyz4gx48ak44la-",
    `00bgd045z0d4icpbc2yyz4gx48ak44la-${"a".repeat(212)}`,
    "00bgd045z0d4icpbc2yyz4gx48ak44la-a\n",
    "00bgd045z0d4icpbc2yyz4gx48ak44la-ü",
  ])("does not read %j", (text) => {
    expect(() => StorePath.fromBaseName(text)).toThrow(
      expect.objectContaining({ name: "NixCompatError", code: "INVALID_STORE_PATH" }),
    );
  });

  test.each([
    "/nix/store/",
    "/nix/store/foo",
    NET_TOOLS,
    `/nix/stores/${NET_TOOLS}`,
    `//nix/store/${NET_TOOLS}`,
  ])("does not read %j as an absolute path", (text) => {
    expect(() => StorePath.fromAbsolute(text)).toThrow(/not a store path/);
  });

  test("takes apart a path inside an object", () => {
    const parts = StorePath.fromAbsoluteWithRest(`/nix/store/${NET_TOOLS}/bin/arp/`);
    expect([String(parts.storePath), parts.rest]).toEqual([NET_TOOLS, "bin/arp/"]);
    expect(StorePath.fromAbsoluteWithRest(`/nix/store/${NET_TOOLS}`).rest).toBe("");
    expect(() => StorePath.fromAbsoluteWithRest("/nix/store/foo/bar")).toThrow(/too short/);
  });

  test("is ordered by the text of its digest", () => {
    const ascending = [
      "0lk5dgi01r933abzfj9c9wlndg82yd3g-psutil-5.9.6.tar.gz.drv",
      "1xj43bva89f9qmwm37zl7r3d7m67i9ck-shorttoc-1.3-tex.drv",
      "2gb633czchi20jq1kqv70rx2yvvgins8-lifted-base-0.2.3.12.tar.gz.drv",
      "2vksym3r3zqhp15q3fpvw2mnvffv11b9-docbook-xml-4.5.zip.drv",
      "5q918awszjcz5720xvpc2czbg1sdqsf0-rust_renaming-0.1.0-lib",
      "7jw30i342sr2p1fmz5xcfnch65h4zbd9-dbus-1.14.10.tar.xz.drv",
      "96yqwqhnp3qya4rf4n0rcl0lwvrylp6k-eap8021x-222.40.1.tar.gz.drv",
      "9gjqg36a1v0axyprbya1hkaylmnffixg-virtualenv-20.24.5.tar.gz.drv",
      "a4i5mci2g9ada6ff7ks38g11dg6iqyb8-perl-5.32.1.drv",
      "a5g76ljava4h5pxlggz3aqdhs3a4fk6p-ToolchainInfo.plist.drv",
      "db46l7d6nswgz4ffp1mmd56vjf9g51v6-version.plist.drv",
      "g6f7w20sd7vwy0rc1r4bfsw4ciclrm4q-crates-io-num_cpus-1.12.0.drv",
      "iw82n1wwssb8g6772yddn8c3vafgv9np-bootstrap-stage1-sysctl-stdenv-darwin.drv",
      "lp78d1y5wxpcn32d5c4r7xgbjwiw0cgf-logo.svg.drv",
      "mf00ank13scv1f9l1zypqdpaawjhfr3s-python3.11-psutil-5.9.6.drv",
      "mpfml61ra7pz90124jx9r3av0kvkz2w1-perl5.36.0-Encode-Locale-1.05",
      "qhsvwx4h87skk7c4mx0xljgiy3z93i23-source.drv",
      "riv7d73adim8hq7i04pr8kd0jnj93nav-fdk-aac-2.0.2.tar.gz.drv",
      "s64b9031wga7vmpvgk16wxwjr0z9ln65-human-signals-5.0.0.tgz-extracted",
      "w6svg3m2xdh6dhx0gl1nwa48g57d3hxh-thiserror-1.0.49",
    ];
    const paths = ascending.map((text) => StorePath.fromBaseName(text));
    expect(
      [...paths]
        .reverse()
        .sort((a, b) => a.compare(b))
        .map(String),
    ).toEqual(ascending);
  });
});

const sha256 = (hex: string) => `sha256:${hex}`;
const HELLO_NAR = sha256("03e7f63be30b065d78bcf615f5473545fdb4eb69aa416f43495b4e05cdfb8040");
const HELLO_SHA512 =
  "sha512:861844d6704e8573fec34d967e20bcfef3d424cf48be04e6dc08f2bd58c729743371015ead891cc3cf1c9d34b49264b510751b1ff9e537937bc46b5d6ff4ecc8";

describe("the store path of contents", () => {
  const vxj = StorePath.fromBaseName("vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo");
  const dxw = StorePath.fromBaseName("dxwkwjzdaq7ka55pkk252gh32bgpmql4-foo");

  test.each<[ContentAddressMethod, string, string, readonly StorePath[], boolean, string]>([
    [
      "text",
      sha256("fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9"),
      "foo",
      [],
      false,
      "vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo",
    ],
    [
      "nar",
      "sha1:0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33",
      "bar",
      [],
      false,
      "mp57d33657rf34lzvlbpfa1gjfv5gmpg-bar",
    ],
    [
      "nar",
      "sha256:1xqkzcb3909fp07qngljr4wcdnrh1gdam1m2n29i6hhrxlmkgkv1",
      "baz",
      [dxw],
      false,
      "s89y431zzhmdn3k8r96rvakryddkpv2v-baz",
    ],
    ["nar", HELLO_NAR, "hello.txt", [], false, "925f1jb1ajrypjbyq7rylwryqwizvhp0-hello.txt"],
    [
      "nar",
      "sha256:0ip26j2h11n1kgkz36rl4akv694yz65hr72q4kv4b3lxcbi65b3p",
      "empty",
      [],
      false,
      "lx5i78a4izwk2qj1nq8rdc07y8zrwy90-empty",
    ],
    [
      "nar",
      "sha256:0sjjj9z1dhilhpc8pq4154czrb79z9cm044jvn75kxcjv6v5l2m5",
      "emptydir",
      [],
      false,
      "lllr7wi039bd69ihd6vfarlcz5j7v52d-emptydir",
    ],
    [
      "nar",
      "sha256:1wcwacrb5q36hpsx1shk0dkm26hwbmqmgi0nm973h9jqkdz3jz89",
      "link",
      [],
      false,
      "hr870lla96737rimmghg3vjcda4zk2y3-link",
    ],
    [
      "nar",
      "sha256:06li2smqgskxxr291x1cgzf61rzm7c8f93bisnglq0nzm1wj5mgb",
      "complicated",
      [],
      false,
      "pngqdzggfqs4q7fg6iywqnlzcgsp85qr-complicated",
    ],
    [
      "flat",
      sha256("7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069"),
      "hello-flat",
      [],
      false,
      "gdi5if63b638ms1lfcr2f1iz07cmqix8-hello-flat",
    ],
    [
      "flat",
      "md5:ed076287532e86365e841e92bfc50d8c",
      "hello-flat",
      [],
      false,
      "fh96srf8jvg3w3shyaf13kzpa1j0yw8m-hello-flat",
    ],
    [
      "flat",
      "sha1:2ef7bde608ce5404e97d5f042f95f89f1c232871",
      "hello-flat",
      [],
      false,
      "f3cnssfgqc19zd6n7zylk8nl4w8a7sn3-hello-flat",
    ],
    ["nar", HELLO_NAR, "hello-self", [], true, "zr6z3k6k2hl6akwjn1rkgxsy2qj07494-hello-self"],
    [
      "nar",
      HELLO_NAR,
      "hello-self",
      [StorePath.fromBaseName(NET_TOOLS)],
      true,
      "8784ahsz000wadjyy9dq8lz3j83i9w51-hello-self",
    ],
  ])("by %s of %s as %s", (method, hash, name, references, self, expected) => {
    const address = { method, hash: NixHash.parse(hash) };
    expect(String(buildContentAddressedPath(name, address, { references, self }))).toBe(expected);
  });

  test("by a text that refers to another", async () => {
    const contents = new TextEncoder().encode(vxj.toAbsolute());
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", contents));
    const address = { method: "text", hash: NixHash.from("sha256", digest) } as const;
    const path = buildContentAddressedPath("baz", address, { references: [vxj] });
    expect(String(path)).toBe("5xd714cbfnkz02h2vbsj4fm03x3f15nf-baz");
  });

  test("does not depend on the order of references, nor on repetitions", () => {
    const address = { method: "nar", hash: NixHash.parse(HELLO_NAR) } as const;
    const build = (references: StorePath[]) =>
      String(buildContentAddressedPath("x", address, { references }));
    expect(build([dxw, vxj])).toBe(build([vxj, dxw, vxj]));
  });

  test("has no references where Nix knows none", () => {
    for (const [method, hash] of [
      ["flat", HELLO_NAR],
      ["nar", HELLO_SHA512],
    ] as const) {
      const address = { method, hash: NixHash.parse(hash) };
      expect(() => buildContentAddressedPath("x", address, { references: [vxj] })).toThrow(/references/);
      expect(() => buildContentAddressedPath("x", address, { self: true })).toThrow(/references/);
    }
    const text = { method: "text", hash: NixHash.parse(HELLO_NAR) } as const;
    expect(() => buildContentAddressedPath("x", text, { self: true })).toThrow(/itself/);
  });

  test("is refused with a name that no path may have", () => {
    const address = { method: "nar", hash: NixHash.parse(HELLO_NAR) } as const;
    for (const name of ["", "a b", "a/b", "a".repeat(212)]) {
      expect(() => buildContentAddressedPath(name, address)).toThrow(/not a store path/);
    }
  });
});

test("outputs are named by derivation and output", () => {
  const hash = NixHash.parse(HELLO_NAR);
  expect(buildOutputPath(hash, "hello").name).toBe("hello");
  expect(buildOutputPath(hash, "hello", "dev").name).toBe("hello-dev");
  expect(String(buildOutputPath(hash, "hello"))).not.toBe(String(buildOutputPath(hash, "hello", "dev")));
  expect(outputPlaceholder("out")).toBe("/1rz4g4znpzjwh1xymhjpm42vipw92pr73vdgl6xs1hycac8kf2n9");
});
