// Size, length and the finer settings, as far as the served models allow them.
import { fill, h, uid } from "./dom.ts";
import type { Fields } from "./fields.ts";
import type { Capabilities, CreateVideoRequest, Guidance, Settings, Video } from "./types.ts";
import { duration } from "./words.ts";

const SCALES = ["text", "image", "video"] as const;
/** As `MAX_GUIDANCE` in omnireel/types.py. */
const MAX_GUIDANCE = 20;
/** About so many previews grow during one denoising. */
const PREVIEWS = 12;

type Chosen = Pick<CreateVideoRequest, "settings" | "enhance" | "upscale" | "preview_every_steps">;

export class Options {
  readonly element: HTMLElement;
  readonly #can: Capabilities;
  readonly #size: HTMLSelectElement;
  readonly #frames: HTMLSelectElement;
  readonly #fps: HTMLSelectElement;
  readonly #steps: HTMLInputElement;
  readonly #upscaleSteps: HTMLInputElement;
  readonly #seed: HTMLInputElement;
  readonly #scales = new Map<(typeof SCALES)[number], HTMLInputElement>();
  readonly #enhance: HTMLInputElement;
  readonly #upscale: HTMLInputElement;

  constructor(can: Capabilities, fields: Fields) {
    this.#can = can;
    this.#size = select(can.sizes.map((s, i) => [String(i), `${s.aspect_ratio} · ${s.width}×${s.height}`]));
    this.#fps = select(can.fps.map((fps) => [String(fps), `${fps} per second`]));
    this.#frames = select([]);
    this.#fps.addEventListener("change", () => this.#drawLengths());
    this.#drawLengths();
    const { defaults, limits } = can;
    this.#steps = number(1, limits.max_inference_steps, defaults.num_inference_steps);
    this.#upscaleSteps = number(1, limits.max_inference_steps, defaults.num_upscale_steps);
    this.#seed = h("input", { inputMode: "numeric", pattern: "[0-9]*", placeholder: "random", autocomplete: "off" });
    this.#enhance = toggle(can.can_enhance);
    this.#upscale = toggle(can.upscale_factor > 0);
    const row = (label: string, control: HTMLElement, path: string) => labelled(label, control, fields, path);
    const upscaled = can.upscale_factor > 0 ? `Upscale ×${can.upscale_factor}` : "Upscale (not served)";
    this.element = h(
      "section",
      { class: "options", aria: { label: "Settings" } },
      h(
        "div",
        { class: "grid" },
        row("Size", this.#size, "settings.format"),
        row("Length", this.#frames, "settings.shape"),
        can.fps.length > 1 ? row("Frame rate", this.#fps, "settings.format.fps") : null,
      ),
      h(
        "div",
        { class: "switches" },
        switchRow(can.can_enhance ? "Enhance the prompt" : "Enhance (not served)", this.#enhance, fields, "enhance"),
        switchRow(upscaled, this.#upscale, fields, "upscale"),
      ),
      h(
        "details",
        {},
        h("summary", {}, "Seed, steps and guidance"),
        h(
          "div",
          { class: "grid" },
          row("Seed", this.#seed, "settings.seed"),
          row("Steps", this.#steps, "settings.num_inference_steps"),
          can.upscale_factor > 0 ? row("Upscale steps", this.#upscaleSteps, "settings.num_upscale_steps") : null,
          ...this.#guidance(row),
        ),
        can.guidance_baked_in ? h("p", { class: "hint" }, "This model has its guidance built in.") : null,
      ),
    );
  }

  /** What is chosen, as a part of the request. */
  read(): Chosen {
    const settings: Settings = {};
    const size = this.#can.sizes[Number(this.#size.value || "NaN")];
    const frames = Number(this.#frames.value || 0);
    const fps = this.#rate();
    if (size && frames) settings.format = { width: size.width, height: size.height, num_frames: frames, fps };
    else if (size || frames) settings.shape = { aspect_ratio: size?.aspect_ratio ?? "", duration_s: frames / fps };
    if (this.#seed.value.trim()) settings.seed = this.#seed.value.trim();
    if (this.#steps.value) settings.num_inference_steps = Number(this.#steps.value);
    if (this.#upscaleSteps.value) settings.num_upscale_steps = Number(this.#upscaleSteps.value);
    const guidance: Guidance = {};
    for (const [scale, input] of this.#scales) if (input.value) guidance[scale] = Number(input.value);
    if (Object.keys(guidance).length > 0) settings.guidance = guidance;
    const steps = settings.num_inference_steps ?? this.#can.defaults.num_inference_steps ?? PREVIEWS;
    return {
      settings,
      enhance: this.#enhance.checked,
      upscale: this.#upscale.checked,
      preview_every_steps: Math.max(1, Math.floor(steps / PREVIEWS)),
    };
  }

  /** The settings of an earlier video, seed and all. */
  load({ settings, enhance, upscale }: Video): void {
    const { format } = settings;
    const at = this.#can.sizes.findIndex((s) => s.width === format?.width && s.height === format.height);
    this.#size.value = at < 0 ? "" : String(at);
    if (format && this.#can.fps.includes(format.fps)) this.#fps.value = String(format.fps);
    this.#drawLengths();
    this.#frames.value = String(format?.num_frames ?? "");
    this.#seed.value = settings.seed ?? "";
    this.#steps.value = unlessDefault(settings.num_inference_steps, this.#can.defaults.num_inference_steps);
    this.#upscaleSteps.value = unlessDefault(settings.num_upscale_steps, this.#can.defaults.num_upscale_steps);
    for (const [scale, input] of this.#scales) {
      input.value = unlessDefault(settings.guidance?.[scale], this.#can.defaults.guidance?.[scale]);
    }
    this.#enhance.checked = enhance && this.#can.can_enhance;
    this.#upscale.checked = upscale && this.#can.upscale_factor > 0;
  }

  #rate(): number {
    return Number(this.#fps.value) || this.#can.defaults.format?.fps || this.#can.fps[0] || 8;
  }

  #drawLengths(): void {
    const { min, max, step } = this.#can.num_frames;
    const before = this.#frames.value;
    const options: [string, string][] = [];
    for (let count = min; count <= max; count += step || 1) {
      const said = duration({ num_frames: count, fps: this.#rate() });
      options.push([String(count), count === 1 ? said : `${said} · ${count} frames`]);
    }
    fill(this.#frames, ...optionsOf(options));
    this.#frames.value = before;
  }

  #guidance(row: (label: string, control: HTMLElement, path: string) => HTMLElement): HTMLElement[] {
    if (this.#can.guidance_baked_in) return [];
    return SCALES.map((scale) => {
      const input = number(0, MAX_GUIDANCE, this.#can.defaults.guidance?.[scale]);
      input.step = "0.1";
      this.#scales.set(scale, input);
      const label = `${scale.charAt(0).toUpperCase()}${scale.slice(1)} guidance`;
      return row(label, input, `settings.guidance.${scale}`);
    });
  }
}

function unlessDefault(value: number | undefined, usual: number | undefined): string {
  return value === undefined || value === usual ? "" : String(value);
}

function select(options: [string, string][]): HTMLSelectElement {
  return h("select", {}, ...optionsOf(options));
}

function optionsOf(options: [string, string][]): HTMLOptionElement[] {
  return [["", "Automatic"] as [string, string], ...options].map(([value, text]) => h("option", { value }, text));
}

function number(min: number, max: number, usual: number | undefined): HTMLInputElement {
  const placeholder = usual === undefined ? "" : String(Math.round(usual * 100) / 100);
  return h("input", { type: "number", min: String(min), max: String(max), placeholder });
}

function toggle(available: boolean): HTMLInputElement {
  return h("input", { type: "checkbox", role: "switch", checked: available, disabled: !available });
}

function labelled(label: string, control: HTMLElement, fields: Fields, path: string): HTMLElement {
  control.id = uid("option");
  return h("div", { class: "field" }, h("label", { htmlFor: control.id }, label), control, fields.register(path, control));
}

function switchRow(label: string, control: HTMLElement, fields: Fields, path: string): HTMLElement {
  return h("div", { class: "field" }, h("label", { class: "switch" }, control, label), fields.register(path, control));
}
