// Formulas, loaded with their style when the first one is written.

import katex from "katex";

declare const MATH_STYLE: string;

const link = document.createElement("link");
link.rel = "stylesheet";
link.href = MATH_STYLE;
document.head.append(link);

export { katex };
