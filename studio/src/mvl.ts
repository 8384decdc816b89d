// The letters of MVL, as omnireel/mvl/grammar.py has them: `@Name`, `@{Name}`, `@@`.
import type { Part } from "./types.ts";

export interface Token {
  /** As typed, escapes and all. */
  source: string;
  /** The mentioned name; null for literal words. */
  name: string | null;
}

const LEGAL_NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const MENTION = /@\{([^}]*)\}|@([A-Za-z0-9_]+)/y;

export function isLegalName(name: string): boolean {
  return LEGAL_NAME.test(name);
}

/** Split text into literal runs and mentions; never fails, the server judges. */
export function scan(text: string): Token[] {
  const tokens: Token[] = [];
  let literal = "";
  let i = 0;
  while (i < text.length) {
    MENTION.lastIndex = i;
    const found = text[i] === "@" ? MENTION.exec(text) : null;
    if (text.startsWith("@@", i)) {
      literal += "@@";
      i += 2;
    } else if (found && (text[i + 1] === "{" || !joinsAWord(literal))) {
      if (literal) tokens.push({ source: literal, name: null });
      literal = "";
      tokens.push({ source: found[0], name: found[1] ?? found[2] ?? "" });
      i += found[0].length;
    } else {
      literal += text[i];
      i += 1;
    }
  }
  if (literal) tokens.push({ source: literal, name: null });
  return tokens;
}

/** The text form of a parsed prompt. */
export function write(parts: readonly Part[]): string {
  return parts
    .map((part, index) => {
      if (part.mention === undefined) return escape(part.text ?? "");
      const before = parts[index - 1]?.text ?? "";
      const after = parts[index + 1]?.text ?? "";
      const braces = joinsAWord(before) || /^[A-Za-z0-9_]/.test(after);
      return braces ? `@{${part.mention}}` : `@${part.mention}`;
    })
    .join("");
}

/** `text` with every mention of `from` made one of `to`. */
export function renameMention(text: string, from: string, to: string): string {
  return scan(text)
    .map((token) => {
      if (token.name !== from) return token.source;
      return token.source.startsWith("@{") ? `@{${to}}` : `@${to}`;
    })
    .join("");
}

/** The mention that is being typed right before `caret`: where it starts and what it says so far. */
export function openMention(text: string, caret: number): { start: number; typed: string } | null {
  const found = /(^|[^A-Za-z0-9@])@\{?([A-Za-z0-9_]*)$/.exec(text.slice(0, caret));
  if (!found) return null;
  const [, before = "", typed = ""] = found;
  return { start: found.index + before.length, typed };
}

/** A legal name out of a file's name that is not among `taken`. */
export function nameFor(filename: string, taken: ReadonlySet<string>, fallback: string): string {
  const words = filename.replace(/\.[^.]*$/, "").split(/[^A-Za-z0-9]+/).filter(Boolean);
  const joined = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  const stem = /^[A-Za-z]/.test(joined) ? joined.slice(0, 24) : fallback;
  if (!taken.has(stem)) return stem;
  for (let number = 2; ; number += 1) {
    const name = `${stem}${/\d$/.test(stem) ? "_" : ""}${number}`;
    if (!taken.has(name)) return name;
  }
}

function joinsAWord(before: string): boolean {
  return /[A-Za-z0-9]$/.test(before);
}

function escape(literal: string): string {
  return literal.replace(/@/g, (_at, index: number) => {
    const after = literal[index + 1] ?? "";
    const plain = joinsAWord(literal.slice(0, index)) && !["", "@", "{"].includes(after);
    return plain ? "@" : "@@";
  });
}
