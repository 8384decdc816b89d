// Two or more results side by side, played in step under one scrubber.
import { type App, MAX_COMPARED } from "./app.ts";
import { fill, h, setText, uid } from "./dom.ts";
import { write } from "./mvl.ts";
import { describe } from "./problem.ts";
import { calm } from "./card.ts";
import { idOf, type OutputName, type Video } from "./types.ts";
import { Urls } from "./urls.ts";
import { format } from "./words.ts";

/** Players further apart than this are brought together. */
const DRIFT_S = 0.06;
const SPEEDS = [0.25, 0.5, 1, 2];

export class Compare {
  readonly element: HTMLElement;
  readonly #app: App;
  readonly #urls = new Urls();
  readonly #tiles = h("div", { class: "tiles" });
  readonly #empty = h("p", { class: "empty" }, `Pick two to ${MAX_COMPARED} finished videos with their "Compare" boxes, here or in the history.`);
  readonly #play = h("button", { type: "button", class: "primary" }, "Play");
  readonly #time = h("output", { class: "hint" });
  readonly #controls: HTMLElement;
  readonly #scrubber: HTMLInputElement;
  readonly #players = new Map<string, HTMLVideoElement>();
  #shown = "";
  #rate = 1;
  #playing = false;

  constructor(app: App) {
    this.#app = app;
    this.#scrubber = h("input", { type: "range", min: "0", max: "1", step: "any", value: "0", aria: { label: "Time of all videos" } });
    this.#scrubber.addEventListener("input", () => {
      this.#pause();
      this.#seek(Number(this.#scrubber.value));
    });
    this.#scrubber.addEventListener("keydown", (event) => {
      const frames = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (!frames) return;
      event.preventDefault();
      this.#step(frames);
    });
    this.#play.addEventListener("click", () => (this.#playing ? this.#pause() : this.#start()));
    const speed = h("select", { id: uid("speed") }, ...SPEEDS.map((s) => h("option", { value: String(s), selected: s === 1 }, `${s}×`)));
    speed.addEventListener("change", () => {
      this.#rate = Number(speed.value);
      for (const player of this.#players.values()) player.playbackRate = this.#rate;
    });
    const back = h("button", { type: "button", aria: { label: "One frame back" } }, "‹");
    const on = h("button", { type: "button", aria: { label: "One frame on" } }, "›");
    back.addEventListener("click", () => this.#step(-1));
    on.addEventListener("click", () => this.#step(1));
    this.#controls = h(
      "div",
      { class: "transport", role: "group", aria: { label: "Playback" } },
      this.#play, back, on, this.#scrubber, this.#time,
      h("label", { class: "row" }, h("span", {}, "Speed"), speed),
    );
    this.element = h("section", { class: "view", aria: { label: "Compare" } }, h("div", { class: "view-head" }, h("h2", {}, "Compare")), this.#empty, this.#tiles, this.#controls);
    app.picked.onChange(() => {
      if (!this.element.hidden) this.show();
    });
  }

  /** Show what is picked, from the beginning. */
  show(): void {
    const { videos } = this.#app.picked;
    const wanted = videos.map((video) => video.name).join(" ");
    this.#empty.hidden = videos.length > 1;
    this.#controls.hidden = videos.length === 0;
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    this.#pause();
    this.#players.clear();
    this.#urls.revokeAll();
    fill(this.#tiles, ...videos.map((video) => this.#tile(video)));
  }

  /** Stop playing; the view is left. */
  leave(): void {
    this.#pause();
  }

  #tile(video: Video): HTMLElement {
    const screen = h("div", { class: "screen" });
    const shape = video.settings.format;
    if (shape) screen.style.setProperty("aspect-ratio", `${shape.width} / ${shape.height}`);
    const outputs: [OutputName, string][] = [["video", "Result"]];
    if (video.outputs?.upscaled) outputs.push(["base", "Base, before upscaling"]);
    const choice = h("select", { aria: { label: "Which output" } }, ...outputs.map(([value, text]) => h("option", { value }, text)));
    choice.addEventListener("change", () => void this.#load(video, choice.value as OutputName, screen));
    const remove = h("button", { type: "button", class: "quiet" }, "Take out");
    remove.addEventListener("click", () => this.#app.picked.toggle(video, false));
    void this.#load(video, "video", screen);
    const made = video.outputs?.video ?? shape;
    const facts = [made && format(made), video.settings.seed && `seed ${video.settings.seed}`];
    return h(
      "figure",
      { class: "tile", data: { video: idOf(video) } },
      screen,
      h(
        "figcaption",
        {},
        h("p", { class: "prompt-text" }, write(video.prompt.parts ?? [])),
        h("p", { class: "facts" }, facts.filter(Boolean).join(" · ")),
        h("div", { class: "actions" }, outputs.length > 1 ? choice : null, h("span", { class: "spring" }), remove),
      ),
    );
  }

  async #load(video: Video, output: OutputName, screen: HTMLElement): Promise<void> {
    this.#pause();
    this.#players.delete(video.name);
    const waiting = h("div", { class: "waiting", aria: { hidden: "true" } });
    fill(screen, waiting);
    try {
      const blob = await this.#app.api.output(idOf(video), output);
      if (!waiting.isConnected) return; // taken out, or another output was chosen since
      const src = this.#urls.of(blob);
      const player = h("video", { src, muted: true, playsInline: true, preload: "auto" });
      player.playbackRate = this.#rate;
      player.dataset["fps"] = String(video.settings.format?.fps ?? 8);
      player.addEventListener("loadedmetadata", () => this.#ready(player), { once: true });
      this.#players.set(video.name, player);
      fill(screen, player);
    } catch (error) {
      if (waiting.isConnected) fill(screen, h("div", { class: "nothing" }, describe(error)));
    }
  }

  #ready(player: HTMLVideoElement): void {
    this.#scrubber.max = String(this.#length());
    this.#seek(Math.min(Number(this.#scrubber.value), this.#length()));
    if (this.#playing) void player.play().catch(() => {});
  }

  /** The longest one leads; shorter ones wait at their last frame. */
  #leader(): HTMLVideoElement | undefined {
    return [...this.#players.values()].sort((a, b) => (b.duration || 0) - (a.duration || 0))[0];
  }

  #length(): number {
    return this.#leader()?.duration || 0;
  }

  #start(): void {
    const leader = this.#leader();
    if (!leader) return;
    if (leader.currentTime >= leader.duration - 1e-3) this.#seek(0);
    this.#playing = true;
    setText(this.#play, "Pause");
    for (const player of this.#players.values()) void player.play().catch(() => {}); // paused again before it began
    requestAnimationFrame(() => this.#tick());
  }

  #pause(): void {
    const at = this.#leader()?.currentTime ?? 0;
    for (const player of this.#players.values()) player.pause();
    if (this.#playing) this.#seek(at);
    this.#playing = false;
    setText(this.#play, "Play");
  }

  #tick(): void {
    const leader = this.#leader();
    if (!this.#playing || !leader) return;
    if (leader.ended) {
      this.#seek(0);
      if (calm()) return this.#pause();
      for (const player of this.#players.values()) void player.play().catch(() => {});
    }
    const now = leader.currentTime;
    for (const player of this.#players.values()) {
      const apart = Math.abs(player.currentTime - Math.min(now, player.duration));
      if (player !== leader && !player.seeking && apart > DRIFT_S * this.#rate) player.currentTime = now;
    }
    this.#tell(now);
    requestAnimationFrame(() => this.#tick());
    return undefined;
  }

  #step(frames: number): void {
    this.#pause();
    const leader = this.#leader();
    const fps = Number(leader?.dataset["fps"] ?? 8);
    const frame = Math.floor((leader?.currentTime ?? 0) * fps + 1e-6) + frames;
    const last = Math.max(Math.round(this.#length() * fps) - 1, 0);
    this.#seek((Math.min(Math.max(frame, 0), last) + 0.5) / fps); // the middle of a frame is that frame
  }

  #seek(seconds: number): void {
    for (const player of this.#players.values()) {
      player.currentTime = Math.min(seconds, player.duration || 0);
    }
    this.#tell(seconds);
  }

  #tell(seconds: number): void {
    this.#scrubber.value = String(seconds);
    const said = `${seconds.toFixed(2)} of ${this.#length().toFixed(2)} s`;
    setText(this.#time, said);
    this.#scrubber.setAttribute("aria-valuetext", said);
  }
}
