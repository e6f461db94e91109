// What all kinds of panels have in common.

import type { Config } from "../config";
import type { State } from "../freshness";
import type { Lines, View } from "../lines";
import type { Look } from "../look";
import type { Strokes } from "../strokes";
import type { Zone } from "../times";

/** Around is what a body needs of the page and of its panel. */
export interface Around {
  readonly element: HTMLElement;
  readonly config: Config;
  readonly lines: Lines;
  /** Spots of lines are made here, one line after the other. */
  readonly strokes: Strokes;
  readonly look: Look;
  zone(): Zone;
  /** pointed is the time under the crosshair, NaN when it stands nowhere. */
  pointed(): number;
  /** pointedHere says whether the pointer stands on this panel. */
  pointedHere(): boolean;
  /** touch asks for the panel to be drawn again. */
  touch(): void;
}

/** Body is the inside of a panel. */
export interface Body {
  /**
   * canvas says that draw draws on a canvas and changes no element. All canvases
   * of a frame are drawn before any element is changed: text on a canvas makes the
   * browser settle every change before it.
   */
  readonly canvas?: boolean;
  /** draw brings the picture to what the view shows and returns when it moves on by itself, in ms. */
  draw(view: View, state: State): number;
  /** write follows draw with what stands around a canvas. */
  write?(view: View): void;
  /** restyle follows a change of colours or fonts. */
  restyle?(): void;
  /** sentence says in words what the picture shows, for those who do not see it. */
  sentence?(view: View): string;
  /** timeAt is the time at a place of the screen, for bodies with an axis of time. */
  timeAt?(clientX: number): number;
  /** plot is the part of the body that time runs over. */
  readonly plot?: HTMLElement;
  /** end lets go of what outlives the elements. */
  end?(): void;
}
