// The page once it is known who calls.
import type { Api } from "./api.ts";
import { type App, Picked } from "./app.ts";
import { Card } from "./card.ts";
import { Compare } from "./compare.ts";
import { Composer } from "./composer.ts";
import { h, setText } from "./dom.ts";
import { History } from "./history.ts";
import { write } from "./mvl.ts";
import { describe } from "./problem.ts";
import { type Capabilities, type Video, type VideoState, idOf } from "./types.ts";
import { Watcher } from "./watch.ts";

const VIEWS = ["create", "history", "compare"] as const;
type View = (typeof VIEWS)[number];

const UNFINISHED: VideoState[] = ["VIDEO_STATE_QUEUED", "VIDEO_STATE_RUNNING", "VIDEO_STATE_CANCELLING"];
const MAX_RESUMED = 20;
const SAID_MS = 6000;
/** Below so many pixels the form and the videos stand in one column; as in layout.css. */
const NARROW = 900;

export class Studio implements App {
  readonly elements: HTMLElement[];
  readonly api: Api;
  readonly can: Capabilities;
  readonly watcher: Watcher;
  readonly picked = new Picked();
  readonly #composer: Composer;
  readonly #history: History;
  readonly #compare: Compare;
  readonly #cards = new Map<string, Card>();
  readonly #current = h("section", { class: "current", aria: { label: "Current videos" } });
  readonly #blank = h("div", { class: "blank" }, h("p", {}, "Your videos appear here while they are made."));
  readonly #views: Record<View, HTMLElement>;
  readonly #links = new Map<View, HTMLAnchorElement>();
  readonly #said = h("p", { class: "said", role: "status" });
  #silence = 0;

  constructor(api: Api, can: Capabilities, leave: () => void) {
    this.api = api;
    this.can = can;
    this.watcher = new Watcher(api);
    this.#composer = new Composer(this, (video) => this.open(video), () => void this.#resume());
    this.#history = new History(this);
    this.#compare = new Compare(this);
    this.#current.append(this.#blank);
    const create = h("div", { class: "create" }, this.#composer.element, this.#current);
    this.#views = { create, history: this.#history.element, compare: this.#compare.element };
    const main = h("main", { tabIndex: -1 }, ...Object.values(this.#views));
    this.elements = [this.#header(leave, main), main, this.#said];
    this.picked.onChange(() => this.#countPicked());
    addEventListener("hashchange", () => this.#show());
  }

  /** Show the view of the address, and what is still under way. */
  start(): void {
    this.#countPicked();
    this.#show();
    void this.#resume();
  }

  reuse(video: Video): void {
    this.#go("create");
    this.#composer.load(video);
  }

  open(video: Video): void {
    this.#go("create");
    const card = this.#add(video);
    if (innerWidth < NARROW) card.element.scrollIntoView({ block: "start" });
  }

  #add(video: Video): Card {
    this.#cards.get(video.name)?.close();
    const card = new Card(this, video, () => {
      this.#cards.delete(video.name);
      this.#blank.hidden = this.#cards.size > 0;
    });
    this.#cards.set(video.name, card);
    this.#current.prepend(card.element);
    this.#blank.hidden = true;
    return card;
  }

  async remove(video: Video): Promise<boolean> {
    if (!(await confirmed(video))) return false;
    await this.api.delete(idOf(video));
    this.picked.forget(video.name);
    this.#cards.get(video.name)?.close();
    this.say("Deleted.");
    return true;
  }

  say(text: string, bad = false): void {
    clearTimeout(this.#silence);
    this.#said.classList.toggle("bad", bad);
    this.#said.textContent = text;
    this.#silence = setTimeout(() => (this.#said.textContent = ""), SAID_MS);
  }

  async #resume(): Promise<void> {
    try {
      const { videos } = await this.api.list(MAX_RESUMED, "", UNFINISHED);
      for (const video of videos.reverse()) if (!this.#cards.has(video.name)) this.#add(video);
    } catch (error) {
      this.say(describe(error), true);
    }
  }

  #header(leave: () => void, main: HTMLElement): HTMLElement {
    const words: Record<View, string> = { create: "Create", history: "History", compare: "Compare" };
    const links = VIEWS.map((view) => {
      const link = h("a", { href: `#${view}` }, words[view]);
      this.#links.set(view, link);
      return link;
    });
    const forget = h("button", { type: "button", class: "quiet" }, "Forget key");
    forget.addEventListener("click", leave);
    const skip = h("button", { type: "button", class: "skip" }, "Skip to content");
    skip.addEventListener("click", () => main.focus());
    return h(
      "header",
      { class: "top" },
      skip,
      h("h1", {}, "Omnireel ", h("span", {}, "Studio")),
      h("nav", { aria: { label: "Views" } }, ...links),
      h("span", { class: "spring" }),
      h("a", { class: "quiet", href: "/docs" }, "API"),
      forget,
    );
  }

  #countPicked(): void {
    const { length } = this.picked.videos;
    const link = this.#links.get("compare");
    if (link) setText(link, length > 0 ? `Compare (${length})` : "Compare");
  }

  #go(view: View): void {
    if (this.#view() !== view) location.hash = view;
    this.#show(view);
  }

  #view(): View {
    const named = location.hash.slice(1);
    return VIEWS.find((view) => view === named) ?? "create";
  }

  #show(view: View = this.#view()): void {
    for (const name of VIEWS) {
      this.#views[name].hidden = name !== view;
      if (name === view) this.#links.get(name)?.setAttribute("aria-current", "page");
      else this.#links.get(name)?.removeAttribute("aria-current");
    }
    if (view === "history") void this.#history.load();
    if (view === "compare") this.#compare.show();
    else this.#compare.leave();
  }
}

/** Asks in a dialog of the browser's own making, which keeps the keyboard inside. */
function confirmed(video: Video): Promise<boolean> {
  const dialog = h(
    "dialog",
    { aria: { label: "Delete this video?" } },
    h(
      "form",
      { method: "dialog" },
      h("h2", {}, "Delete this video?"),
      h("p", { class: "prompt-text" }, write(video.prompt.parts ?? [])),
      h("p", { class: "hint" }, "Its files go with it. This cannot be undone."),
      h("div", { class: "actions" }, h("span", { class: "spring" }), h("button", { value: "" }, "Keep"), h("button", { value: "delete", class: "danger" }, "Delete")),
    ),
  );
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "delete");
    });
    dialog.showModal();
  });
}
