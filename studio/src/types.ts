// The JSON of protos/omnireel/api/v1, as far as the page reads or writes it.

export type MediaKind = "MEDIA_KIND_IMAGE" | "MEDIA_KIND_VIDEO";

export type Role =
  | "ROLE_REFERENCE"
  | "ROLE_SOURCE"
  | "ROLE_FIRST_FRAME"
  | "ROLE_LAST_FRAME"
  | "ROLE_STORYBOARD"
  | "ROLE_MOTION"
  | "ROLE_CAMERA"
  | "ROLE_ANNOTATION";

export type VideoState =
  | "VIDEO_STATE_QUEUED"
  | "VIDEO_STATE_RUNNING"
  | "VIDEO_STATE_CANCELLING"
  | "VIDEO_STATE_SUCCEEDED"
  | "VIDEO_STATE_FAILED"
  | "VIDEO_STATE_CANCELLED";

export type Stage =
  | "STAGE_UNSPECIFIED"
  | "STAGE_QUEUED"
  | "STAGE_ENHANCING"
  | "STAGE_GENERATING"
  | "STAGE_UPSCALING"
  | "STAGE_FINISHING";

export interface Media {
  uri: string;
  kind: MediaKind;
  mime_type: string;
  size_bytes: string;
  width: number;
  height: number;
  num_frames: number;
  fps: number;
}

export interface Part {
  text?: string;
  mention?: string;
}

export interface Input {
  name: string;
  kind: MediaKind;
  role: Role | "ROLE_UNSPECIFIED";
  uri: string;
}

export interface Element {
  name: string;
  uris: string[];
  description: string;
}

export interface Prompt {
  text?: string;
  parts?: Part[];
  inputs: Input[];
  elements: Element[];
}

export interface VideoFormat {
  width: number;
  height: number;
  num_frames: number;
  fps: number;
}

export interface Guidance {
  text?: number;
  image?: number;
  video?: number;
}

export interface Settings {
  format?: VideoFormat;
  shape?: { aspect_ratio: string; duration_s: number };
  seed?: string;
  num_inference_steps?: number;
  num_upscale_steps?: number;
  guidance?: Guidance;
}

export interface CreateVideoRequest {
  request_id: string;
  prompt: Prompt;
  settings: Settings;
  enhance: boolean;
  upscale: boolean;
  preview_every_steps: number;
}

export interface Progress {
  stage: Stage;
  step: number;
  num_steps: number;
  fraction: number;
  eta?: string;
  queue_position: number;
  preview_uri: string;
  message: string;
}

export interface Status {
  code?: number;
  message?: string;
  details?: StatusDetail[];
}

export interface StatusDetail {
  "@type": string;
  reason?: string;
  metadata?: Record<string, string>;
  field_violations?: { field?: string; description?: string }[];
  retry_delay?: string;
}

export interface Enhancement {
  text: string;
  fallback_reason: string;
}

export interface Video {
  name: string;
  state: VideoState;
  progress?: Progress;
  error?: Status;
  outputs?: {
    video?: Media;
    base?: Media;
    upscaled?: Media;
    poster?: Media;
    enhancement?: Enhancement;
  };
  prompt: Prompt;
  settings: Settings;
  enhance: boolean;
  upscale: boolean;
  warnings: { code: string; message: string }[];
  create_time?: string;
  start_time?: string;
  end_time?: string;
}

export interface VideoProgress {
  name: string;
  state: VideoState;
  progress?: Progress;
  resume_token: string;
  video?: Video;
}

export interface Size {
  width: number;
  height: number;
  aspect_ratio: string;
}

export interface Limits {
  max_prompt_chars: number;
  max_images: number;
  max_videos: number;
  max_elements: number;
  max_images_per_element: number;
  max_upload_bytes: string;
  max_inference_steps: number;
}

export interface Capabilities {
  sizes: Size[];
  num_frames: { min: number; max: number; step: number };
  fps: number[];
  upscale_factor: number;
  can_enhance: boolean;
  defaults: Settings;
  limits: Limits;
  guidance_baked_in: boolean;
}

export interface VideoPage {
  videos: Video[];
  next_page_token: string;
}

export type OutputName = "video" | "base" | "upscaled" | "poster";

/** Whether nothing will change any more. */
export function isFinal(state: VideoState): boolean {
  return (
    state === "VIDEO_STATE_SUCCEEDED" ||
    state === "VIDEO_STATE_FAILED" ||
    state === "VIDEO_STATE_CANCELLED"
  );
}

/** `videos/{id}` -> `{id}`. */
export function idOf(video: { name: string }): string {
  return video.name.replace(/^videos\//, "");
}
