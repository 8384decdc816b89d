// What went wrong, in the words of the server: google.rpc.Status as JSON.
import type { Status } from "./types.ts";

export interface Violation {
  field: string;
  description: string;
}

/** A failed call. `code` is the HTTP code; 0 when there was no answer. */
export class Problem extends Error {
  readonly code: number;
  readonly violations: readonly Violation[];
  readonly retryAfterS: number | null;

  constructor(code: number, status: Status) {
    super(status.message || `the server answered ${code}`);
    const details = status.details ?? [];
    this.code = code;
    this.violations = details
      .flatMap((detail) => detail.field_violations ?? [])
      .map(({ field = "", description = "" }) => ({ field, description }));
    const retry = details.find((detail) => detail.retry_delay)?.retry_delay;
    this.retryAfterS = retry ? Number.parseFloat(retry) : null;
  }
}

/** The problem of an answer whose code is not 2xx. */
export async function problemOf(answer: Response): Promise<Problem> {
  const text = await answer.text();
  try {
    return new Problem(answer.status, JSON.parse(text) as Status);
  } catch {
    return new Problem(answer.status, { message: text.slice(0, 300) });
  }
}

/** One line for people about anything that was thrown. */
export function describe(error: unknown): string {
  if (error instanceof Problem) {
    const wait = error.retryAfterS ? ` (worth another try in ${Math.ceil(error.retryAfterS)} s)` : "";
    return error.message + wait;
  }
  return error instanceof Error ? error.message : String(error);
}

/** Whether `error` only says that somebody gave up waiting. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
