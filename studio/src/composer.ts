// The form: prompt, media, settings; makes a video of them.
import type { App } from "./app.ts";
import { fill, h, setText } from "./dom.ts";
import { Fields } from "./fields.ts";
import { renameMention, write } from "./mvl.ts";
import { Options } from "./options.ts";
import { Problem, describe } from "./problem.ts";
import { PromptBox } from "./prompt-box.ts";
import { Shelf } from "./shelf.ts";
import type { Video } from "./types.ts";

export class Composer {
  readonly element: HTMLFormElement;
  readonly #app: App;
  readonly #fields = new Fields();
  readonly #prompt: PromptBox;
  readonly #shelf: Shelf;
  readonly #options: Options;
  readonly #count = h("span", { class: "count" });
  readonly #problems = h("div", { class: "problems", role: "alert" });
  readonly #submit = h("button", { type: "submit", class: "primary" }, "Create video");
  readonly #onCreated: (video: Video) => void;
  readonly #onLost: () => void;
  /** What was sent and made no video so far: sent again as it is, it makes no second one. */
  #sent: { id: string; body: string } | null = null;

  /** `onLost` is called when there may be a video that nobody heard of. */
  constructor(app: App, onCreated: (video: Video) => void, onLost: () => void) {
    this.#app = app;
    this.#onCreated = onCreated;
    this.#onLost = onLost;
    this.#prompt = new PromptBox(() => this.#shelf.named, () => this.#changed());
    this.#shelf = new Shelf(app.api, app.can.limits, {
      changed: () => this.#changed(),
      mention: (name) => this.#prompt.insert(name),
      renamed: (from, to) => {
        this.#prompt.text = renameMention(this.#prompt.text, from, to);
        this.#changed();
      },
    });
    this.#options = new Options(app.can, this.#fields);
    const error = this.#fields.register("prompt", this.#prompt.area);
    this.element = h(
      "form",
      { class: "composer", noValidate: true, aria: { label: "New video" } },
      h("div", { class: "label-row" }, h("label", { htmlFor: this.#prompt.area.id }, "Prompt"), this.#count),
      this.#prompt.element,
      error,
      this.#shelf.element,
      this.#options.element,
      this.#problems,
      h("div", { class: "submit-row" }, this.#submit, h("span", { class: "hint" }, h("kbd", {}, "Ctrl"), " ", h("kbd", {}, "Enter"))),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#create();
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.element.requestSubmit();
    });
    this.#prompt.area.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.#shelf.add(files);
    });
    this.#changed();
  }

  focus(): void {
    this.#prompt.area.focus();
  }

  /** Take over what made `video`. */
  load(video: Video): void {
    this.#fields.clear();
    fill(this.#problems);
    this.#shelf.load(video.prompt);
    this.#prompt.text = write(video.prompt.parts ?? []);
    this.#options.load(video);
    this.#changed();
    this.focus();
  }

  #changed(): void {
    if (!this.element) return; // the parts speak up while they are made
    const { text } = this.#prompt;
    const most = this.#app.can.limits.max_prompt_chars;
    setText(this.#count, text.length > most * 0.8 ? `${text.length} of ${most}` : "");
    this.#shelf.showUse(text);
    this.#prompt.refresh();
  }

  async #create(): Promise<void> {
    if (this.#submit.disabled) return;
    this.#fields.clear();
    fill(this.#problems);
    const obstacle = this.#shelf.obstacle;
    if (obstacle) return fill(this.#problems, h("p", {}, obstacle));
    this.#submit.disabled = true;
    this.#submit.textContent = "Sending…";
    try {
      const prompt = { text: this.#prompt.text, ...this.#shelf.declare(this.#fields) };
      const wanted = { prompt, ...this.#options.read() };
      const body = JSON.stringify(wanted);
      if (this.#sent?.body !== body) this.#sent = { id: requestId(), body };
      const video = await this.#app.api.create({ request_id: this.#sent.id, ...wanted });
      this.#sent = null;
      this.#onCreated(video);
    } catch (error) {
      const answered = error instanceof Problem && error.code !== 0;
      if (!answered) this.#onLost();
      this.#explain(error);
    } finally {
      this.#submit.disabled = false;
      this.#submit.textContent = "Create video";
    }
    return undefined;
  }

  /** Each mistake beside its field; what has no field here above the button. */
  #explain(error: unknown): void {
    if (!(error instanceof Problem) || error.violations.length === 0) {
      return fill(this.#problems, h("p", {}, describe(error)));
    }
    const rest = this.#fields.show(error.violations);
    this.element.querySelector<HTMLDetailsElement>("details:has([aria-invalid])")?.setAttribute("open", "");
    return fill(this.#problems, ...rest.map(({ field, description }) => h("p", {}, `${field}: ${description}`)));
  }
}

function requestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID needs a secure context
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
