import type { Field } from "./fields.ts";
import type { NarInfo } from "./narinfo.ts";

/** Fields that may have a text without a value, and then are told by that alone. */
const VALUELESS = ["Deriver", "CA"] as const;

/**
 * What a narinfo says beyond what a PathInfo has a place for: its system, signatures and fields
 * that are not known, and values that mean nothing to us.
 */
export function extraFieldsOf({ system, quirks = {} }: NarInfo): readonly Field[] {
  const { texts = {}, otherSignatures = [], unknownFields = [] } = quirks;
  return [
    ...VALUELESS.flatMap((key) => {
      const read = texts[key];
      return read === undefined || read.value !== undefined ? [] : [[key, read.text] as const];
    }),
    ...(system === undefined ? [] : [["System", system] as const]),
    ...otherSignatures.map((signature) => ["Sig", signature] as const),
    ...unknownFields,
  ];
}

/** The same narinfo with the fields that {@link extraFieldsOf} told of another one of its path. */
export function withExtraFields(info: NarInfo, fields: readonly Field[]): NarInfo {
  if (fields.length === 0) return info;
  const valueless = fields.filter(([key]) => VALUELESS.some((known) => known === key));
  const texts = Object.fromEntries(valueless.map(([key, text]) => [key, { text, value: undefined }]));
  const special = new Set<string>([...VALUELESS, "System", "Sig"]);
  return {
    ...info,
    system: info.system ?? fields.find(([key]) => key === "System")?.[1],
    quirks: {
      ...info.quirks,
      texts: { ...info.quirks?.texts, ...texts },
      otherSignatures: fields.filter(([key]) => key === "Sig").map(([, value]) => value),
      unknownFields: fields.filter(([key]) => !special.has(key)),
    },
  };
}
