// The prompt: a textarea over a layer that colours its mentions, with a list of names after `@`.
import { fill, h, uid } from "./dom.ts";
import { openMention, scan } from "./mvl.ts";

export interface Named {
  name: string;
  what: string;
}

export class PromptBox {
  readonly area: HTMLTextAreaElement;
  readonly element: HTMLElement;
  readonly #layer: HTMLElement;
  readonly #list: HTMLUListElement;
  readonly #known: () => Named[];
  #chosen = 0;
  #offered: Named[] = [];

  constructor(known: () => Named[], onInput: () => void) {
    this.#known = known;
    const listId = uid("names");
    this.#layer = h("div", { class: "prompt-layer", aria: { hidden: "true" } });
    this.#list = h("ul", { class: "names", id: listId, role: "listbox", hidden: true, aria: { label: "Names" } });
    this.area = h("textarea", {
      id: uid("prompt"),
      class: "prompt-area",
      rows: 5,
      spellcheck: true,
      placeholder: "A red ball bounces on the beach. Drop a picture below and mention it by its @Name.",
      aria: { autocomplete: "list", haspopup: "listbox", controls: listId },
    });
    this.element = h("div", { class: "prompt-box" }, this.#layer, this.area, this.#list);
    this.area.addEventListener("input", () => {
      this.refresh();
      this.#offer();
      onInput();
    });
    this.area.addEventListener("scroll", () => (this.#layer.scrollTop = this.area.scrollTop));
    this.area.addEventListener("keydown", (event) => this.#onKey(event));
    this.area.addEventListener("click", () => this.#offer());
    this.area.addEventListener("blur", () => this.#close());
  }

  get text(): string {
    return this.area.value;
  }

  set text(value: string) {
    this.area.value = value;
    this.refresh();
  }

  /** Colour the mentions anew, after the text or the names have changed. */
  refresh(): void {
    const known = new Set(this.#known().map(({ name }) => name));
    const pieces = scan(this.text).map(({ source, name }) => {
      if (name === null) return source;
      return h("mark", { class: known.has(name) ? "known" : "unknown" }, source);
    });
    fill(this.#layer, ...pieces, "\u200b");
    this.#layer.scrollTop = this.area.scrollTop;
  }

  /** Put a mention where the caret is. */
  insert(name: string): void {
    const { selectionStart: start, selectionEnd: end, value } = this.area;
    const open = openMention(value, start);
    const from = open?.start ?? start;
    const before = value.slice(0, from);
    const space = before && !/\s$/.test(before) && !open ? " " : "";
    const after = /^[\s.,;:!?')]/.test(value.slice(end)) ? "" : " ";
    this.area.setRangeText(`${space}@${name}${after}`, from, end, "end");
    this.area.focus();
    this.area.dispatchEvent(new Event("input", { bubbles: true }));
    this.#close();
  }

  #offer(): void {
    const { selectionStart: caret, selectionEnd } = this.area;
    const open = caret === selectionEnd ? openMention(this.text, caret) : null;
    if (!open) return this.#close();
    const typed = open.typed.toLowerCase();
    this.#offered = this.#known().filter(({ name }) => name.toLowerCase().startsWith(typed));
    const exact = this.#offered.length === 1 && this.#offered[0]?.name === open.typed;
    if (this.#offered.length === 0 || exact) return this.#close();
    this.#chosen = 0;
    this.#show();
    this.#place(open.start);
    return undefined;
  }

  #show(): void {
    const options = this.#offered.map(({ name, what }, index) => {
      const option = h(
        "li",
        { role: "option", id: `${this.#list.id}-${index}`, aria: { selected: String(index === this.#chosen) } },
        h("b", {}, `@${name}`),
        h("span", {}, what),
      );
      option.addEventListener("mousedown", (event) => {
        event.preventDefault(); // the textarea keeps the focus
        this.insert(name);
      });
      return option;
    });
    fill(this.#list, ...options);
    this.#list.hidden = false;
    this.area.setAttribute("aria-activedescendant", `${this.#list.id}-${this.#chosen}`);
  }

  /** Right below the `@` at `start`. */
  #place(start: number): void {
    const probe = h("span", {}, "@");
    const copy = h("div", { class: "prompt-layer", aria: { hidden: "true" } }, this.text.slice(0, start), probe);
    this.element.append(copy);
    const left = Math.min(probe.offsetLeft, this.element.clientWidth - this.#list.offsetWidth);
    this.#list.style.setProperty("left", `${Math.max(left, 0)}px`);
    const top = probe.offsetTop + probe.offsetHeight - this.area.scrollTop;
    this.#list.style.setProperty("top", `${top + 4}px`);
    copy.remove();
  }

  #close(): void {
    this.#list.hidden = true;
    this.area.removeAttribute("aria-activedescendant");
  }

  #onKey(event: KeyboardEvent): void {
    if (this.#list.hidden || event.isComposing) return;
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) {
      this.#chosen = (this.#chosen + move + this.#offered.length) % this.#offered.length;
      this.#show();
    } else if ((event.key === "Enter" && !event.ctrlKey && !event.metaKey) || event.key === "Tab") {
      this.insert(this.#offered[this.#chosen]?.name ?? "");
    } else if (event.key === "Escape") {
      this.#close();
    } else {
      return;
    }
    event.preventDefault();
  }
}
