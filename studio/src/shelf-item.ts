// One thing that a prompt can mention: a picture, a clip, or an element of several pictures.
import type { Api } from "./api.ts";
import { fill, h, uid } from "./dom.ts";
import { errorPlace, mark } from "./fields.ts";
import { isLegalName } from "./mvl.ts";
import { describe, isAbort } from "./problem.ts";
import type { MediaKind, Role } from "./types.ts";
import type { Urls } from "./urls.ts";
import { IMAGE_ROLES, VIDEO_ROLES } from "./words.ts";

export type ItemKind = "image" | "video" | "element";

export interface Shot {
  /** The store's handle; empty until the bytes are there. */
  uri: string;
  url: string;
  error: string;
  stop: AbortController;
}

export interface ItemEvents {
  changed(): void;
  /** Whether another item has this name. */
  taken(name: string): boolean;
  renamed(from: string, to: string): void;
  removed(): void;
  mention(name: string): void;
}

export const WHAT: Record<ItemKind, string> = { image: "image", video: "clip", element: "element" };

export class ShelfItem {
  readonly element: HTMLElement;
  readonly nameInput: HTMLInputElement;
  readonly message = errorPlace();
  readonly shots: Shot[] = [];
  description: string;
  role: Role;
  kind: ItemKind;
  #name: string;
  readonly #api: Api;
  readonly #urls: Urls;
  readonly #events: ItemEvents;
  readonly #thumbs = h("div", { class: "thumbs" });
  readonly #details = h("div", { class: "item-details" });

  constructor(
    kind: ItemKind,
    name: string,
    role: Role,
    description: string,
    api: Api,
    urls: Urls,
    events: ItemEvents,
  ) {
    this.kind = kind;
    this.role = role;
    this.description = description;
    this.#name = name;
    this.#api = api;
    this.#urls = urls;
    this.#events = events;
    this.nameInput = h("input", { value: name, maxLength: 64, spellcheck: false, autocomplete: "off" });
    // When it is written, not at every key: half a name may be that of another item.
    this.nameInput.addEventListener("change", () => this.#rename());
    this.nameInput.addEventListener("keydown", ({ key }) => {
      if (key === "Enter") this.#rename();
    });
    this.message.setAttribute("role", "alert"); // the focus has moved on when a name is refused
    this.element = h("li", { class: "item" });
    this.#draw();
  }

  get name(): string {
    return this.#name;
  }

  get mediaKind(): MediaKind {
    return this.kind === "video" ? "MEDIA_KIND_VIDEO" : "MEDIA_KIND_IMAGE";
  }

  /** What keeps it from being used, or nothing. */
  get obstacle(): string {
    if (this.shots.length === 0) return "needs an image";
    const failed = this.shots.find((shot) => shot.error);
    if (failed) return failed.error;
    return this.shots.some((shot) => !shot.uri) ? "is still being sent" : "";
  }

  /** Show a file at once and send it meanwhile. */
  async send(file: File): Promise<void> {
    const shot = this.#add("", this.#urls.of(file));
    try {
      shot.uri = (await this.#api.upload(file, shot.stop.signal)).uri;
    } catch (error) {
      if (isAbort(error)) return;
      shot.error = `${file.name}: ${describe(error)}`;
    }
    this.#drawShots();
    this.#events.changed();
  }

  /** Show what is in the store already. */
  async show(uri: string): Promise<void> {
    const shot = this.#add(uri, "");
    try {
      shot.url = this.#urls.of(await this.#api.media(uri));
    } catch (error) {
      shot.error = describe(error);
    }
    this.#drawShots();
  }

  /** Stop what is being sent and let go of the pictures. */
  discard(): void {
    for (const shot of [...this.shots]) this.#drop(shot);
  }

  #rename(): void {
    const before = this.#name;
    const wanted = this.nameInput.value.trim().replace(/^@/, "");
    let problem = "";
    if (!isLegalName(wanted)) problem = "A name is a letter, then letters, digits and _";
    else if (this.#events.taken(wanted)) problem = `@${wanted} is the name of another`;
    else this.#name = wanted;
    this.nameInput.value = this.#name;
    mark({ control: this.nameInput, message: this.message }, problem ? [`${problem}; this stays @${before}.`] : []);
    if (before !== this.#name) this.#events.renamed(before, this.#name);
  }

  #add(uri: string, url: string): Shot {
    const shot = { uri, url, error: "", stop: new AbortController() };
    this.shots.push(shot);
    this.#drawShots();
    return shot;
  }

  #drop(shot: Shot): void {
    shot.stop.abort();
    this.#urls.revoke(shot.url);
    this.shots.splice(this.shots.indexOf(shot), 1);
  }

  #draw(): void {
    const nameId = uid("name");
    this.nameInput.id = nameId;
    this.element.dataset["kind"] = this.kind;
    const remove = h("button", { type: "button", class: "quiet", aria: { label: `Remove ${WHAT[this.kind]} ${this.#name}` } }, "Remove");
    remove.addEventListener("click", () => this.#events.removed());
    const mention = h("button", { type: "button", class: "quiet" }, "Mention");
    mention.addEventListener("click", () => this.#events.mention(this.#name));
    fill(
      this.element,
      this.#thumbs,
      h(
        "div",
        { class: "item-body" },
        h("label", { htmlFor: nameId, class: "item-name" }, h("span", { class: "at", aria: { hidden: "true" } }, "@"), h("span", { class: "visually-hidden" }, `Name of this ${WHAT[this.kind]}`), this.nameInput),
        this.#details,
        h("div", { class: "item-actions" }, mention, this.kind === "image" ? this.#asElement() : null, remove),
        this.message,
      ),
    );
    fill(this.#details, this.kind === "element" ? this.#descriptionField() : this.#roleField());
    this.#drawShots();
  }

  #drawShots(): void {
    const pictures = this.shots.map((shot) => this.#picture(shot));
    const more = this.kind === "element" ? this.#moreButton() : null;
    fill(this.#thumbs, ...pictures, more);
  }

  #picture(shot: Shot): HTMLElement {
    const busy = !shot.uri && !shot.error;
    const alt = `${this.#name}${busy ? ", being sent" : ""}`;
    let picture: HTMLElement = h("span", { class: "no-picture" }, shot.error ? "!" : "…");
    if (shot.url && this.kind === "video") {
      picture = h("video", { src: shot.url, muted: true, playsInline: true, preload: "auto", aria: { label: alt } });
    } else if (shot.url) {
      picture = h("img", { src: shot.url, alt });
    }
    const frame = h("span", { class: "thumb", title: shot.error }, picture);
    if (busy) frame.classList.add("busy");
    if (shot.error) {
      frame.classList.add("bad");
      frame.append(h("span", { class: "visually-hidden", role: "alert" }, shot.error));
    }
    if (this.kind === "element") frame.append(this.#dropButton(shot));
    return frame;
  }

  #dropButton(shot: Shot): HTMLElement {
    const number = this.shots.indexOf(shot) + 1;
    const button = h("button", { type: "button", class: "drop-shot", aria: { label: `Remove image ${number} of ${this.#name}` } }, "×");
    button.addEventListener("click", () => {
      this.#drop(shot);
      this.#drawShots();
      this.#events.changed();
    });
    return button;
  }

  #moreButton(): HTMLElement {
    const input = h("input", { type: "file", accept: "image/*", multiple: true, class: "visually-hidden", aria: { label: `Add images to ${this.#name}` } });
    input.addEventListener("change", () => {
      for (const file of input.files ?? []) void this.send(file);
      this.#events.changed();
    });
    return h("label", { class: "thumb more", title: "Add images of the same subject" }, "+", input);
  }

  #asElement(): HTMLElement {
    const button = h("button", { type: "button", class: "quiet", title: "Several images of one subject, so that it stays itself" }, "Make element");
    button.addEventListener("click", () => {
      this.kind = "element";
      this.#draw();
      this.#events.changed();
      this.nameInput.focus();
    });
    return button;
  }

  #roleField(): HTMLElement {
    const roles = this.kind === "video" ? VIDEO_ROLES : IMAGE_ROLES;
    const options = roles.map(([value, text]) => h("option", { value, selected: value === this.role }, text));
    const select = h("select", { id: uid("role") }, ...options);
    select.addEventListener("change", () => {
      this.role = select.value as Role;
      this.#events.changed();
    });
    return h("label", { class: "row" }, h("span", {}, "Use as"), select);
  }

  #descriptionField(): HTMLElement {
    const input = h("input", { value: this.description, placeholder: "a grey rabbit (optional)", id: uid("what") });
    input.addEventListener("input", () => (this.description = input.value));
    return h("label", { class: "row" }, h("span", {}, "What it is"), input);
  }
}
