// The media of a prompt: dropped, named, sent to the store, taken away.
import type { Api } from "./api.ts";
import { fill, h, uid } from "./dom.ts";
import type { Fields } from "./fields.ts";
import { nameFor, scan } from "./mvl.ts";
import type { Named } from "./prompt-box.ts";
import { type ItemKind, ShelfItem, WHAT } from "./shelf-item.ts";
import type { Limits, Prompt, Role } from "./types.ts";
import { Urls } from "./urls.ts";
import { size } from "./words.ts";

export interface ShelfEvents {
  changed(): void;
  renamed(from: string, to: string): void;
  mention(name: string): void;
}

export class Shelf {
  readonly element: HTMLElement;
  readonly #api: Api;
  readonly #limits: Limits;
  readonly #events: ShelfEvents;
  readonly #urls = new Urls();
  readonly #list = h("ul", { class: "shelf", aria: { label: "Images, clips and elements" } });
  readonly #note = h("p", { class: "field-error", role: "alert", hidden: true });
  #items: ShelfItem[] = [];

  constructor(api: Api, limits: Limits, events: ShelfEvents) {
    this.#api = api;
    this.#limits = limits;
    this.#events = events;
    const input = h("input", { type: "file", id: uid("files"), accept: "image/*,video/*", multiple: true, class: "visually-hidden" });
    input.addEventListener("change", () => {
      this.add([...(input.files ?? [])]);
      input.value = "";
    });
    const element = h("button", { type: "button" }, "New element");
    element.addEventListener("click", () => this.#create("element", "Hero", "ROLE_REFERENCE").nameInput.select());
    this.element = h(
      "section",
      { class: "media", aria: { label: "Media" } },
      h("div", { class: "drop" }, h("span", {}, "Drop images and clips here, or"), h("span", { class: "drop-buttons" }, h("label", { class: "button", htmlFor: input.id }, "Choose files", input), element)),
      this.#note,
      this.#list,
    );
    this.#acceptDrops();
  }

  /** What can be mentioned. */
  get named(): Named[] {
    return this.#items.map((item) => ({ name: item.name, what: WHAT[item.kind] }));
  }

  /** Every item that is not ready, in one sentence; empty when all are. */
  get obstacle(): string {
    const blocked = this.#items.find((item) => item.obstacle);
    return blocked ? `@${blocked.name}: ${blocked.obstacle}` : "";
  }

  /** Take files in, each as an image or a clip of its own, or all into one element. */
  add(files: readonly File[], into?: ShelfItem): void {
    this.#say("");
    for (const file of files) {
      const kind = file.type.startsWith("image/") ? "image" : file.type.startsWith("video/") ? "video" : null;
      const most = Number(this.#limits.max_upload_bytes);
      if (kind === null) this.#say(`${file.name} is neither an image nor a video`);
      else if (file.size > most) this.#say(`${file.name} has ${size(file.size)}; at most ${size(most)} can be sent`);
      else if (into && kind === "image") void into.send(file);
      else if (into) this.#say(`${file.name}: an element is made of images`);
      else {
        const name = nameFor(file.name, this.#names(), kind === "image" ? "Image" : "Clip");
        const role = kind === "video" ? "ROLE_SOURCE" : "ROLE_REFERENCE";
        void this.#create(kind, name, role).send(file);
      }
    }
  }

  /** The media of an earlier prompt. */
  load(prompt: Prompt): void {
    this.clear();
    for (const { name, kind, role, uri } of prompt.inputs) {
      const used = role === "ROLE_UNSPECIFIED" ? "ROLE_REFERENCE" : role;
      void this.#create(kind === "MEDIA_KIND_VIDEO" ? "video" : "image", name, used, true).show(uri);
    }
    for (const { name, uris, description } of prompt.elements) {
      const item = this.#create("element", name, "ROLE_REFERENCE", true, description);
      for (const uri of uris) void item.show(uri);
    }
  }

  clear(): void {
    for (const item of this.#items) item.discard();
    this.#items = [];
    this.#urls.revokeAll();
    this.#draw();
  }

  /** The declarations of a prompt of `text`; tells `fields` where each of them is shown. */
  declare(fields: Fields): Pick<Prompt, "inputs" | "elements"> {
    fields.forget("prompt.inputs[");
    fields.forget("prompt.elements[");
    const inputs = this.#items.filter((item) => item.kind !== "element");
    const elements = this.#items.filter((item) => item.kind === "element");
    inputs.forEach((item, i) => fields.register(`prompt.inputs[${i}]`, item.nameInput, item.message));
    elements.forEach((item, i) => fields.register(`prompt.elements[${i}]`, item.nameInput, item.message));
    return {
      inputs: inputs.map((item) => ({
        name: item.name,
        kind: item.mediaKind,
        role: item.role,
        uri: item.shots[0]?.uri ?? "",
      })),
      elements: elements.map((item) => ({
        name: item.name,
        uris: item.shots.map((shot) => shot.uri),
        description: item.description,
      })),
    };
  }

  /** Grey out what `text` does not mention though it must. */
  showUse(text: string): void {
    const mentioned = new Set(scan(text).map(({ name }) => name));
    for (const item of this.#items) {
      const idle = item.role === "ROLE_REFERENCE" && !mentioned.has(item.name);
      item.element.classList.toggle("idle", idle);
      item.element.title = idle ? `Not mentioned yet: write @${item.name}` : "";
    }
  }

  #create(kind: ItemKind, stem: string, role: Role, exact = false, description = ""): ShelfItem {
    const name = exact ? stem : nameFor(stem, this.#names(), stem);
    const item: ShelfItem = new ShelfItem(kind, name, role, description, this.#api, this.#urls, {
      changed: () => this.#events.changed(),
      taken: (wanted) => this.#items.some((other) => other !== item && other.name === wanted),
      renamed: (from, to) => this.#events.renamed(from, to),
      mention: (of) => this.#events.mention(of),
      removed: () => this.#remove(item),
    });
    this.#items.push(item);
    this.#draw();
    return item;
  }

  #remove(item: ShelfItem): void {
    item.discard();
    const at = this.#items.indexOf(item);
    this.#items.splice(at, 1);
    this.#draw();
    const near = this.#items[Math.min(at, this.#items.length - 1)];
    (near?.nameInput ?? this.element.querySelector("input"))?.focus();
  }

  #draw(): void {
    fill(this.#list, ...this.#items.map((item) => item.element));
    this.#list.hidden = this.#items.length === 0;
    this.#events.changed();
  }

  #names(): Set<string> {
    return new Set(this.#items.map((item) => item.name));
  }

  #say(text: string): void {
    this.#note.textContent = text;
    this.#note.hidden = !text;
  }

  #acceptDrops(): void {
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      this.element.classList.toggle("over", event.type === "dragover");
    };
    this.element.addEventListener("dragover", over);
    this.element.addEventListener("dragleave", over);
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      this.element.classList.remove("over");
      const target = event.target as Node;
      const into = this.#items.find((item) => item.kind === "element" && item.element.contains(target));
      this.add([...(event.dataTransfer?.files ?? [])], into);
    });
  }
}