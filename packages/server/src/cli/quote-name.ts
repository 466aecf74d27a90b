/** What must not reach a terminal, or would be taken for quotes: controls, what has no shape, marks of direction. */
const SPECIAL = /[\p{C}\p{Zl}\p{Zp}"\\]/u;

const ESCAPES: Readonly<Record<string, string>> = {
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
  '"': '\\"',
  "\\": "\\\\",
};

/** A name as it is, or in double quotes with escapes as in C where it holds what a line cannot have. */
export function quoteName(name: Uint8Array): string {
  const bytes = Buffer.from(name.buffer, name.byteOffset, name.byteLength);
  const text = bytes.toString("utf8");
  const isText = Buffer.from(text, "utf8").equals(bytes);
  if (isText && !SPECIAL.test(text)) return text;
  const parts = isText ? Array.from(text, escapeCharacter) : Array.from(bytes, escapeByte);
  return `"${parts.join("")}"`;
}

function escapeCharacter(character: string): string {
  if (!SPECIAL.test(character)) return character;
  return ESCAPES[character] ?? Array.from(Buffer.from(character), octal).join("");
}

function escapeByte(byte: number): string {
  return byte < 0x80 ? escapeCharacter(String.fromCharCode(byte)) : octal(byte);
}

function octal(byte: number): string {
  return `\\${byte.toString(8).padStart(3, "0")}`;
}
