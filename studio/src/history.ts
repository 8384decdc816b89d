// Earlier videos, newest first, in pages.
import { button, compareBox } from "./actions.ts";
import type { App } from "./app.ts";
import { fill, h, setText, uid } from "./dom.ts";
import { write } from "./mvl.ts";
import { describe } from "./problem.ts";
import { idOf, isFinal, type Video, type VideoState } from "./types.ts";
import { Urls } from "./urls.ts";
import { STATES, format, when } from "./words.ts";

const PAGE = 12;

export class History {
  readonly element: HTMLElement;
  readonly #app: App;
  readonly #urls = new Urls();
  readonly #list = h("ul", { class: "history" });
  readonly #note = h("p", { class: "empty", role: "status" });
  readonly #state: HTMLSelectElement;
  readonly #newer = h("button", { type: "button" }, "Newer");
  readonly #older = h("button", { type: "button" }, "Older");
  readonly #pageNumber = h("span", { class: "hint" });
  /** Tokens of the pages up to this one; the first is empty. */
  #tokens = [""];
  #next = "";
  #loads = 0;

  constructor(app: App) {
    this.#app = app;
    const states = Object.entries(STATES).map(([value, text]) => h("option", { value }, text));
    this.#state = h("select", { id: uid("state") }, h("option", { value: "" }, "All"), ...states);
    this.#state.addEventListener("change", () => this.#go([""]));
    this.#newer.addEventListener("click", () => this.#go(this.#tokens.slice(0, -1)));
    this.#older.addEventListener("click", () => this.#go([...this.#tokens, this.#next]));
    const refresh = h("button", { type: "button", class: "quiet" }, "Refresh");
    refresh.addEventListener("click", () => void this.load());
    this.element = h(
      "section",
      { class: "view", aria: { label: "History" } },
      h("div", { class: "view-head" }, h("h2", {}, "History"), h("label", { class: "row" }, h("span", {}, "Show"), this.#state), refresh),
      this.#list,
      this.#note,
      h("nav", { class: "pages", aria: { label: "Pages" } }, this.#newer, this.#pageNumber, this.#older),
    );
  }

  /** Read the present page anew. */
  async load(): Promise<void> {
    const load = (this.#loads += 1);
    const states = this.#state.value ? [this.#state.value as VideoState] : [];
    try {
      const page = await this.#app.api.list(PAGE, this.#tokens.at(-1) ?? "", states);
      if (load !== this.#loads) return; // a later one is under way
      const emptied = page.videos.length === 0 && this.#tokens.length > 1;
      if (emptied) return this.#go(this.#tokens.slice(0, -1)); // its last video was deleted
      this.#next = page.next_page_token;
      this.#draw(page.videos);
    } catch (error) {
      setText(this.#note, describe(error));
      this.#note.hidden = false;
    }
  }

  #go(tokens: string[]): void {
    this.#tokens = tokens;
    void this.load();
  }

  #draw(videos: Video[]): void {
    this.#urls.revokeAll();
    fill(this.#list, ...videos.map((video) => this.#item(video)));
    const filtered = this.#state.value !== "";
    setText(this.#note, filtered ? "No video is in this state." : "Nothing yet. What you create appears here.");
    this.#note.hidden = videos.length > 0;
    this.#newer.disabled = this.#tokens.length === 1;
    this.#older.disabled = !this.#next;
    setText(this.#pageNumber, `Page ${this.#tokens.length}`);
    this.element.querySelector<HTMLElement>(".pages")!.hidden = this.#tokens.length === 1 && !this.#next;
  }

  #item(video: Video): HTMLElement {
    const app = this.#app;
    const text = write(video.prompt.parts ?? []);
    const poster = h("div", { class: "poster" });
    if (video.outputs?.poster) void this.#showPoster(video, poster);
    else fill(poster, h("span", { class: "nothing" }, isFinal(video.state) ? "No picture" : "Not finished"));
    const open = h("button", { type: "button", class: "open", aria: { label: `Open: ${text.slice(0, 100)}` } }, poster);
    open.addEventListener("click", () => app.open(video));
    const shape = video.outputs?.video ?? video.settings.format;
    return h(
      "li",
      { data: { video: idOf(video), state: video.state } },
      open,
      h(
        "div",
        { class: "history-body" },
        h("p", { class: "prompt-text" }, text),
        h("p", { class: "facts" }, h("span", { class: "badge" }, STATES[video.state]), ` ${when(video.create_time)}${shape ? ` · ${format(shape)}` : ""}`),
        h(
          "div",
          { class: "actions" },
          button(app, "Use again", () => app.reuse(video)),
          video.outputs?.video && isFinal(video.state) ? compareBox(app, video) : null,
          h("span", { class: "spring" }),
          button(app, "Delete", async () => {
            if (await app.remove(video)) await this.load();
          }),
        ),
      ),
    );
  }

  async #showPoster(video: Video, place: HTMLElement): Promise<void> {
    try {
      const blob = await this.#app.api.output(idOf(video), "poster");
      fill(place, h("img", { src: this.#urls.of(blob), alt: "" }));
    } catch {
      fill(place, h("span", { class: "nothing" }, "No picture")); // the text says what it was
    }
  }
}
