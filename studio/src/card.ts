// One video from the moment it is asked for: its progress with previews, then its result.
import { button, compareBox, downloadButton } from "./actions.ts";
import type { App } from "./app.ts";
import { fill, h, setText } from "./dom.ts";
import { write } from "./mvl.ts";
import { Problem, describe, isAbort } from "./problem.ts";
import { type Enhancement, type Progress, type Stage, type Video, type VideoState, idOf, isFinal } from "./types.ts";
import { Urls } from "./urls.ts";
import type { Seen } from "./watch.ts";
import { STAGES, format, standing, took, when } from "./words.ts";

export class Card {
  readonly element: HTMLElement;
  readonly name: string;
  readonly #app: App;
  readonly #urls = new Urls();
  readonly #leave = new AbortController();
  readonly #screen = h("div", { class: "screen" });
  readonly #standing = h("p", { class: "standing", role: "status" });
  readonly #bar = h("progress", { max: 1, aria: { label: "Progress" } });
  readonly #stages = h("ol", { class: "stages", aria: { label: "Stages" } });
  readonly #enhanced = h("div", { class: "enhanced", hidden: true });
  readonly #facts = h("p", { class: "facts" });
  readonly #notes = h("div", { class: "notes" });
  readonly #actions = h("div", { class: "actions" });
  readonly #onClosed: () => void;
  #video: Video;
  #stage: Stage = "STAGE_UNSPECIFIED";
  #preview = "";

  constructor(app: App, video: Video, onClosed: () => void) {
    this.#app = app;
    this.#video = video;
    this.name = video.name;
    this.#onClosed = onClosed;
    const { format: shape } = video.settings;
    if (shape) this.#screen.style.setProperty("aspect-ratio", `${shape.width} / ${shape.height}`);
    this.element = h(
      "article",
      { class: "card", data: { video: idOf(video) }, aria: { label: `Video ${write(video.prompt.parts ?? [])}`.slice(0, 120) } },
      this.#screen,
      h(
        "div",
        { class: "card-body" },
        h("p", { class: "prompt-text" }, write(video.prompt.parts ?? [])),
        this.#standing,
        this.#bar,
        this.#stages,
        this.#enhanced,
        this.#notes,
        this.#facts,
        this.#actions,
      ),
    );
    if (isFinal(video.state)) void this.#finish(video);
    else {
      this.#show({ state: video.state, progress: video.progress });
      void this.#follow();
    }
  }

  /** Leave the page; the video goes on. */
  close(): void {
    this.#leave.abort();
    this.#urls.revokeAll();
    this.element.remove();
    this.#onClosed();
  }

  async #follow(): Promise<void> {
    try {
      const { signal } = this.#leave;
      await this.#finish(await this.#app.watcher.follow(idOf(this.#video), (seen) => this.#show(seen), signal));
    } catch (error) {
      if (!isAbort(error)) this.#lost(error);
    }
  }

  #lost(error: unknown): void {
    this.element.dataset["state"] = "lost";
    setText(this.#standing, error instanceof Problem && error.code === 404 ? "Deleted" : describe(error));
    this.#bar.hidden = true;
    fill(this.#actions, button(this.#app, "Hide", () => this.close()));
  }

  #show({ state, progress }: Seen): void {
    this.element.dataset["state"] = state;
    setText(this.#standing, standing(state, progress));
    if (state === "VIDEO_STATE_RUNNING" && progress) this.#bar.value = progress.fraction;
    else this.#bar.removeAttribute("value");
    this.#drawStages(state, progress);
    this.#drawWaitingActions(state);
    if (!this.#screen.firstChild) fill(this.#screen, h("div", { class: "waiting", aria: { hidden: "true" } }));
    if (progress?.preview_uri) void this.#showPreview(progress.preview_uri);
  }

  #drawStages(state: VideoState, progress: Progress | undefined): void {
    const now = state === "VIDEO_STATE_QUEUED" ? "STAGE_QUEUED" : (progress?.stage ?? "STAGE_UNSPECIFIED");
    if (now === this.#stage) return;
    const beyondEnhancing = this.#video.enhance && (now === "STAGE_GENERATING" || now === "STAGE_UPSCALING");
    if (beyondEnhancing && this.#enhanced.hidden) void this.#fetchEnhancement();
    this.#stage = now;
    const order = (Object.keys(STAGES) as Stage[]).filter(
      (stage) =>
        (stage !== "STAGE_ENHANCING" || this.#video.enhance) && (stage !== "STAGE_UPSCALING" || this.#video.upscale),
    );
    const at = order.indexOf(now);
    const items = order.map((stage, index) => {
      const item = h("li", { class: index < at ? "past" : "" }, STAGES[stage] ?? "");
      if (index === at) item.setAttribute("aria-current", "step");
      return item;
    });
    fill(this.#stages, ...items);
  }

  #drawWaitingActions(state: VideoState): void {
    if (this.#actions.dataset["for"] === state) return;
    this.#actions.dataset["for"] = state;
    const cancel = button(this.#app, "Cancel", () => this.#app.api.cancel(idOf(this.#video)), false);
    cancel.classList.add("secondary");
    if (state === "VIDEO_STATE_CANCELLING") cancel.disabled = true;
    fill(this.#actions, cancel);
  }

  async #fetchEnhancement(): Promise<void> {
    try {
      const { outputs } = await this.#app.api.get(idOf(this.#video));
      this.#showEnhancement(outputs?.enhancement);
    } catch (error) {
      if (!(error instanceof Problem)) throw error; // the next stage, or the end, shows it
    }
  }

  #showEnhancement(enhancement: Enhancement | undefined): void {
    if (!enhancement) return;
    const { fallback_reason: reason, text } = enhancement;
    const why = reason ? h("p", { class: "hint" }, `Not rewritten: ${reason}`) : null;
    const title = reason ? "Prompt that was used" : "Enhanced prompt";
    fill(this.#enhanced, h("h3", {}, title), h("p", {}, text), why);
    this.#enhanced.hidden = false;
  }

  async #showPreview(uri: string): Promise<void> {
    if (uri === this.#preview) return;
    this.#preview = uri;
    try {
      const blob = await this.#app.api.media(uri);
      const image = h("img", { class: "preview", alt: "Preview of the unfinished video", src: this.#urls.of(blob) });
      await image.decode();
      if (this.#preview !== uri) return; // a newer one is there
      const old = this.#screen.querySelector("img");
      fill(this.#screen, image);
      if (old) this.#urls.revoke(old.src);
    } catch {
      return; // previews come and go; the next one, or the result, takes its place
    }
  }

  async #finish(video: Video): Promise<void> {
    this.#video = video;
    this.#preview = "";
    this.element.dataset["state"] = video.state;
    setText(this.#standing, standing(video.state, undefined));
    this.#bar.hidden = true;
    this.#stages.hidden = true;
    this.#showEnhancement(video.outputs?.enhancement);
    this.#drawFacts();
    this.#drawNotes();
    this.#drawFinalActions();
    await this.#showResult();
  }

  async #showResult(): Promise<void> {
    if (!this.#video.outputs?.video) {
      const mark = this.#video.state === "VIDEO_STATE_CANCELLED" ? "Cancelled" : "No video";
      return fill(this.#screen, h("div", { class: "nothing" }, mark));
    }
    try {
      const blob = await this.#app.api.output(idOf(this.#video), "video");
      if (this.#leave.signal.aborted) return undefined;
      const src = this.#urls.of(blob);
      const player = h("video", { src, controls: true, loop: true, muted: true, autoplay: !calm(), playsInline: true });
      fill(this.#screen, player);
    } catch (error) {
      fill(this.#screen, h("div", { class: "nothing" }, describe(error)));
    }
    return undefined;
  }

  #drawFacts(): void {
    const { settings, end_time: end } = this.#video;
    const result = this.#video.outputs?.video;
    const facts = [
      result ? format(result) : settings.format && format(settings.format),
      settings.seed && `seed ${settings.seed}`,
      settings.num_inference_steps && `${settings.num_inference_steps} steps`,
      took(this.#video) && `took ${took(this.#video)}`,
      when(end),
    ];
    setText(this.#facts, facts.filter(Boolean).join(" · "));
  }

  #drawNotes(): void {
    const { error, warnings } = this.#video;
    const problem = error && new Problem(error.code ?? 0, error);
    const retry = problem?.retryAfterS === null ? "" : " Trying again may help.";
    fill(
      this.#notes,
      problem && h("p", { class: "bad", role: "alert" }, `${problem.message}.${retry}`.replace("..", ".")),
      ...warnings.map((warning) => h("p", { class: "warning" }, warning.message)),
    );
  }

  #drawFinalActions(): void {
    const video = this.#video;
    const app = this.#app;
    const { outputs } = video;
    delete this.#actions.dataset["for"];
    fill(
      this.#actions,
      outputs?.video ? downloadButton(app, video, "video", "Download") : null,
      outputs?.upscaled ? downloadButton(app, video, "base", "Download base") : null,
      button(app, "Use again", () => app.reuse(video)),
      outputs?.video ? compareBox(app, video) : null,
      h(
        "span",
        { class: "pair" },
        button(app, "Hide", () => this.close()),
        button(app, "Delete", () => app.remove(video)),
      ),
    );
  }
}

/** Whether the person asked for little motion. */
export function calm(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
