// Runs before the first paint, so that a page never flashes in the wrong theme.

import { apply, stored } from "./theme";

apply(stored());
