import { type Picture, patchPlace } from './picture.js';
import './patch.css';

interface Props {
  readonly picture: Picture;
  readonly token: number;
  /** CSS pixels of its longer side. */
  readonly size: number;
}

/** One patch of an image as a picture; nothing for a token that is none. */
export function Patch({ picture, token, size }: Props) {
  const place = patchPlace(picture, token);
  if (!place) return null;
  return <span class="patch" aria-hidden="true" style={patchStyle(picture, place, size)} />;
}

/** A window onto the image that shows one patch. */
export function patchStyle({ canvas, url }: Picture, place: NonNullable<ReturnType<typeof patchPlace>>, size: number) {
  const scale = size / Math.max(place.width, place.height);
  return {
    width: `${place.width * scale}px`,
    height: `${place.height * scale}px`,
    backgroundImage: `url(${url})`,
    backgroundSize: `${canvas.width * scale}px ${canvas.height * scale}px`,
    backgroundPosition: `${-place.x * scale}px ${-place.y * scale}px`,
  };
}
