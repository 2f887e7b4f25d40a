// Markdown to safe HTML. What a model writes is a stranger's text: HTML in it is shown, not obeyed, and nothing is loaded.

import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: true });
markdown.disable("image");

const MATH = /\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\]|\\\(([\s\S]+?)\\\)|(?<![\w$])\$([^\s$](?:[^$\n]*[^\s$])?)\$(?![\w$])/g;
const CODE = /(```[\s\S]*?(?:```|$)|`[^`\n]*`)/g;

type Katex = typeof import("katex").default;
type Highlighter = (code: string, language: string) => string | undefined;

let katex: Katex | undefined;
let highlighter: Highlighter | undefined;

/** Loads what the text needs and is not there yet; true when it is to be rendered once more. */
export async function prepare(text: string): Promise<boolean> {
  const wants: Promise<unknown>[] = [];
  if (!katex && hasMath(text)) wants.push(import("./math.ts").then((module) => (katex = module.katex)));
  if (!highlighter && text.includes("```")) {
    wants.push(import("./code.ts").then((module) => (highlighter = module.highlighted)));
  }
  await Promise.all(wants);
  return wants.length > 0;
}

export function hasMath(text: string): boolean {
  return text.replace(CODE, "").search(MATH) >= 0;
}

/** Formulas are taken out before Markdown would read their signs, and put back as HTML. */
export function render(text: string): string {
  const formulas: string[] = [];
  const prepared = text
    .split(CODE)
    .map((part, number) => (number % 2 ? part : part.replace(MATH, (whole, a, b, c, d) => held(formulas, whole, a ?? b, c ?? d))))
    .join("");
  const html = markdown.render(prepared).replace(/\uE000(\d+)\uE001/g, (_, at) => formulas[Number(at)] ?? "");
  return DOMPurify.sanitize(html, { ADD_ATTR: ["target"], FORBID_TAGS: ["img", "style", "form", "input", "video", "audio"] });
}

function held(formulas: string[], whole: string, block: string | undefined, inline: string | undefined): string {
  if (!katex) return whole;
  const html = katex.renderToString(block ?? inline ?? "", { displayMode: block !== undefined, throwOnError: false });
  return `\uE000${formulas.push(html) - 1}\uE001`;
}

markdown.renderer.rules.fence = (tokens, at) => {
  const token = tokens[at]!;
  const language = token.info.trim().split(/\s+/)[0] ?? "";
  const shown = highlighter?.(token.content, language) ?? markdown.utils.escapeHtml(token.content);
  const name = markdown.utils.escapeHtml(language);
  return `<div class="code"><div class="code-head"><span>${name}</span><button type="button" class="copy-code"></button></div><pre tabindex="0"><code>${shown}</code></pre></div>`;
};

const plainLink = markdown.renderer.rules.link_open ?? ((tokens, at, options, _env, self) => self.renderToken(tokens, at, options));
markdown.renderer.rules.link_open = (tokens, at, options, env, self) => {
  tokens[at]!.attrSet("target", "_blank");
  tokens[at]!.attrSet("rel", "noopener noreferrer nofollow");
  return plainLink(tokens, at, options, env, self);
};

markdown.renderer.rules.table_open = () => '<div class="table" tabindex="0"><table>';
markdown.renderer.rules.table_close = () => "</table></div>";
