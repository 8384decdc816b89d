// Puts the server's field violations beside the fields that they are about.
import { fill, h, uid } from "./dom.ts";
import type { Violation } from "./problem.ts";

interface Field {
  control: HTMLElement;
  message: HTMLElement;
}

/** Fields by their path in the request; a violation goes to the longest path that fits. */
export class Fields {
  readonly #byPath = new Map<string, Field>();

  /** Messages about `path` go into `message`, tied to `control` for screen readers. */
  register(path: string, control: HTMLElement, message = errorPlace()): HTMLElement {
    this.#byPath.set(path, { control, message });
    return message;
  }

  /** Forget the fields below `prefix`, which are counted anew. */
  forget(prefix: string): void {
    for (const path of this.#byPath.keys()) if (path.startsWith(prefix)) this.#byPath.delete(path);
  }

  clear(): void {
    for (const field of this.#byPath.values()) mark(field, []);
  }

  /** Show what has a place here; gives back the rest. */
  show(violations: readonly Violation[]): Violation[] {
    this.clear();
    const grouped = new Map<Field, string[]>();
    const rest: Violation[] = [];
    for (const violation of violations) {
      const field = this.#find(violation.field);
      if (field) grouped.set(field, [...(grouped.get(field) ?? []), violation.description]);
      else rest.push(violation);
    }
    for (const [field, texts] of grouped) mark(field, texts);
    const controls = [...grouped.keys()].map(({ control }) => control);
    const inOrder = (a: Node, b: Node) => a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING;
    controls.sort((a, b) => (inOrder(a, b) ? -1 : 1))[0]?.focus();
    return rest;
  }

  #find(path: string): Field | undefined {
    // Declarations are `inputs[0].name` in some answers and `prompt.inputs[0].name` in others.
    const full = /^(inputs|elements)\[/.test(path) ? `prompt.${path}` : path;
    const fits = [...this.#byPath.keys()].filter(
      (known) => full === known || full.startsWith(`${known}.`) || full.startsWith(`${known}[`),
    );
    const longest = fits.sort((a, b) => b.length - a.length)[0];
    return longest === undefined ? undefined : this.#byPath.get(longest);
  }
}

/** An empty place for messages. */
export function errorPlace(): HTMLElement {
  return h("p", { class: "field-error", id: uid("error"), hidden: true });
}

/** Show `texts` about a field, or that it is right when there are none. */
export function mark({ control, message }: Field, texts: string[]): void {
  fill(message, texts.join(" "));
  message.hidden = texts.length === 0;
  if (texts.length > 0) {
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", message.id);
  } else {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-describedby");
  }
}
